//! Marks that are forged, foreign, oversized or replayed, through real balancers.

use abide_harness::Kind;

use crate::stage::{Stage, signed_in, user_of};

async fn harm_nobody(kind: Kind) {
    let stage = Stage::start(kind, "memory:").await;
    let (mut ada, _) = signed_in(&stage, "ada").await;
    let own = ada.cookies.clone();
    let (mut bob, _) = signed_in(&stage, "bob").await;
    // The mark stands in a cookie of its own, or behind the token.
    let mark_of = |cookies: &std::collections::BTreeMap<String, String>| match cookies.get("route") {
        Some(mark) => mark.clone(),
        None => cookies["id"][44..].to_owned(),
    };
    let foreign = mark_of(&bob.cookies);
    let marks = ["", "server-one", "..", "'\"<>", "../../etc", "127.0.0.1:1", &"x".repeat(3_000), &foreign];
    for mark in marks {
        ada.cookies = own.clone();
        if own.contains_key("route") {
            ada.cookies.insert("route".into(), mark.to_owned());
        } else {
            ada.cookies.insert("id".into(), format!("{}.{mark}", &own["id"][..43]));
        }
        for _ in 0..3 {
            let answer = ada.get("/me").await;
            // At another node nobody knows the token; at its own everybody does.
            assert!([200, 401].contains(&answer.status.as_u16()), "{mark}: {answer:?}");
            let cookies = answer.set_cookies().concat();
            assert!(!cookies.contains("server-") && !cookies.contains("127.0.0.1"), "{cookies}");
        }
    }
    ada.cookies = own;
    assert_eq!(user_of(&mut ada).await.as_deref(), Some("ada"), "with its own mark it is where it was");
    assert_eq!(user_of(&mut bob).await.as_deref(), Some("bob"));
}

#[tokio::test]
async fn behind_haproxy_a_mark_of_any_kind_harms_nobody() {
    harm_nobody(Kind::Haproxy).await;
}

#[tokio::test]
async fn behind_nginx_a_mark_of_any_kind_harms_nobody() {
    harm_nobody(Kind::Nginx).await;
}

#[tokio::test]
async fn behind_apache_a_mark_of_any_kind_harms_nobody() {
    harm_nobody(Kind::Apache).await;
}
