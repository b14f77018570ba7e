//! The end of all sessions.

use abide_core::{EndReason, ErrorKind};

use crate::case::{Verdict, cases, claim, claim_eq, refused};
use crate::stage::{Stage, TICK};

cases! {
    end_all_ends_every_session_and_counts_the_live_ones:
        "Ends every session of the store, and answers how many live ones there were.";
    after_the_end_of_all_no_write_brings_a_session_back:
        "Ends every session of the store";
}

async fn end_all_ends_every_session_and_counts_the_live_ones(s: Stage) -> Verdict {
    let token = s.token();
    s.open_as(token, s.new_record(&token).idle_timeout(TICK)).await?;
    let ended = s.open().await?;
    s.end(&ended).await?;
    let mut sessions = Vec::new();
    for n in 0..30 {
        sessions.push(s.open().await?);
        sessions.push(s.open_for(&s.user(&format!("user {}", n % 4))).await?);
    }
    s.pass(TICK).await?;
    let count = s.store().end_all(EndReason::EndedByAdministrator).await?;
    claim_eq!(count, 60, "how many sessions were live");
    for live in &sessions {
        claim!(!s.is_live(live).await?, "a session is live");
    }
    claim_eq!(s.keys_of(&s.user("user 1")).await?, [], "a user's sessions");
    claim_eq!(
        s.store().end_all(EndReason::EndedByAdministrator).await?,
        0,
        "how many were live when asked again"
    );
    Ok(())
}

async fn after_the_end_of_all_no_write_brings_a_session_back(s: Stage) -> Verdict {
    let live = s.open().await?;
    let write = s.setting(&live.created.record, "a", b"1");
    s.pass(TICK).await?;
    s.store().end_all(EndReason::EndedByAdministrator).await?;
    refused(s.commit(&live, &write).await, &[ErrorKind::Ended, ErrorKind::Missing], "a late write")?;
    let again = s.open_as(live.token, s.new_record(&live.token)).await;
    refused(again, &[ErrorKind::Ended], "a late creation")?;
    claim!(!s.is_live(&live).await?, "the session is live");
    let fresh = s.open().await?;
    claim!(s.is_live(&fresh).await?, "a session that was created afterwards is over");
    Ok(())
}
