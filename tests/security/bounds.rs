//! What a client can make a server hold is bounded.

use abide::core::ErrorKind as StoreKind;
use abide::{Config, Error, ErrorKind, Session};

use crate::stage::Stage;

/// Writes until the session refuses. Answers how many kilobytes it took, and the refusal.
async fn fill(
    session: &Session,
    write: impl AsyncFn(&Session, u32) -> Result<(), Error>,
) -> (u32, ErrorKind) {
    for written in 0..100 {
        if let Err(error) = write(session, written).await {
            return (written, error.kind());
        }
    }
    panic!("it took everything")
}

// Row 27.
#[tokio::test]
async fn a_session_grows_no_further_than_configured_by_whichever_way() {
    let kilobyte = "x".repeat(1024);
    for signed_in in [false, true] {
        let stage = Stage::with(Config::new().max_session_bytes(8 * 1024)).await;
        let mut client = if signed_in { stage.user("ada").await } else { stage.client() };
        client
            .ask(async |session| {
                let insert = async |session: &Session, n: u32| {
                    session.insert(&format!("k{n}"), &kilobyte)?;
                    session.save().await
                };
                assert_eq!(fill(&session, insert).await, (7, ErrorKind::Store(StoreKind::TooLarge)));
                session.clear();
                session.save().await.unwrap();
                let append = async |session: &Session, _| {
                    let append = |text: Option<String>| text.unwrap_or_default() + &kilobyte;
                    session.update("text", append).await.map(drop)
                };
                assert_eq!(fill(&session, append).await, (7, ErrorKind::Store(StoreKind::TooLarge)));
                assert_eq!(session.get::<String>("text").await.unwrap().unwrap().len(), 7 * 1024);
            })
            .await
            .is_ok();
    }
}

// Row 27.
#[tokio::test]
async fn keys_count_as_much_as_values() {
    let stage = Stage::with(Config::new().max_session_bytes(8 * 1024)).await;
    let answer = stage.client().ask(async |session| session.insert(&"k".repeat(8 * 1024), &1)).await;
    assert_eq!(answer.status, 500);
    assert!(answer.set_cookies().is_empty());
}
