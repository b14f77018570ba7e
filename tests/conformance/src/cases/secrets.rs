//! Logins and renewals.

use abide_core::{ErrorKind, Keep, SecretState};

use crate::case::{Failure, Verdict, cases, claim_eq, refused};
use crate::stage::{GRACE, Live, Stage, worth};

cases! {
    a_login_kills_every_older_secret:
        "Merges changes into a session, as Record::commit does";
    a_login_carries_over_what_its_opener_keeps:
        "Merges changes into a session, as Record::commit does";
    a_renewal_whose_answer_is_lost_logs_nobody_out:
        "Merges changes into a session, as Record::commit does";
    a_confirmed_secret_leaves_the_older_one_a_grace:
        "Merges changes into a session, as Record::commit does";
    of_two_renewals_one_mints_and_nobody_is_logged_out:
        "race: renewal ‖ renewal: one mints; nobody is logged out";
    a_write_beside_a_renewal_is_kept:
        "race: write ‖ periodic renewal: kept";
}

/// That a pending secret is added to the newest one of the session as it was created.
fn renewal(s: &Stage, live: &Live, token: &abide_core::Token) -> abide_core::Changes {
    let mut changes = s.changes(&live.created.record);
    changes.renew(0, token.verifier(), s.now());
    changes
}

async fn worth_now(s: &Stage, live: &Live, token: &abide_core::Token) -> Result<SecretState, Failure> {
    Ok(worth(&s.held(live).await?.record, token, s.now()))
}

async fn a_login_kills_every_older_secret(s: Stage) -> Verdict {
    let live = s.open().await?;
    let (pending, fresh) = (s.secret_for(&live), s.secret_for(&live));
    s.commit(&live, &renewal(&s, &live, &pending)).await?;
    let held = s.held(&live).await?;
    s.commit(&live, &s.login(&held.record, &fresh, &s.user("ada"))).await?;
    claim_eq!(
        worth_now(&s, &live, &live.token).await?,
        SecretState::Unknown,
        "the secret from before the login"
    );
    claim_eq!(worth_now(&s, &live, &pending).await?, SecretState::Unknown, "the pending one from before");
    claim_eq!(worth_now(&s, &live, &fresh).await?, SecretState::Current, "the login's secret");
    Ok(())
}

async fn a_login_carries_over_what_its_opener_keeps(s: Stage) -> Verdict {
    let keeps = [
        (Keep::All, [true, true]),
        (Keep::Nothing, [false, false]),
        (Keep::Only(vec!["a".into()]), [true, false]),
    ];
    for (keep, kept) in keeps {
        let live = s.open().await?;
        s.set(&live, "a", b"1").await?;
        let held = s.set(&live, "b", b"2").await?;
        let mut login = s.changes(&held.record);
        login.open_era(s.new_era(&s.secret_for(&live)).user(s.user("ada"), s.now()).keep(keep.clone()));
        login.set("c", b"3".as_slice());
        s.commit(&live, &login).await?;
        let held = s.held(&live).await?;
        let found = ["a", "b"].map(|key| held.record.value(key).is_some());
        claim_eq!(found, kept, "the values kept by {keep:?}");
        claim_eq!(held.record.value("c"), Some(&b"3"[..]), "the value that the login set");
    }
    Ok(())
}

async fn a_renewal_whose_answer_is_lost_logs_nobody_out(s: Stage) -> Verdict {
    let live = s.open().await?;
    let fresh = s.secret_for(&live);
    s.commit(&live, &renewal(&s, &live, &fresh)).await?;
    claim_eq!(worth_now(&s, &live, &live.token).await?, SecretState::Current, "the secret in use");
    claim_eq!(
        worth_now(&s, &live, &fresh).await?,
        SecretState::Pending(1),
        "the one that may have been lost"
    );
    Ok(())
}

async fn a_confirmed_secret_leaves_the_older_one_a_grace(s: Stage) -> Verdict {
    let live = s.open().await?;
    let fresh = s.secret_for(&live);
    let renewed = s.commit(&live, &renewal(&s, &live, &fresh)).await?;
    let mut changes = s.changes(&renewed.record);
    changes.confirm(1, s.now());
    s.commit(&live, &changes).await?;
    claim_eq!(worth_now(&s, &live, &fresh).await?, SecretState::Current, "the confirmed secret");
    claim_eq!(worth_now(&s, &live, &live.token).await?, SecretState::Grace, "the older one");
    s.pass(GRACE).await?;
    claim_eq!(worth_now(&s, &live, &live.token).await?, SecretState::Stale, "the older one after its grace");
    Ok(())
}

async fn of_two_renewals_one_mints_and_nobody_is_logged_out(s: Stage) -> Verdict {
    let live = s.open().await?;
    let fresh: Vec<_> = (0..8).map(|_| s.secret_for(&live)).collect();
    let renewals: Vec<_> = fresh.iter().map(|token| renewal(&s, &live, token)).collect();
    let session = live.clone();
    let answers = s
        .together(renewals.len(), move |s, n| {
            let (live, changes) = (session.clone(), renewals[n].clone());
            async move {
                let store = s.handle(n);
                store.commit(live.key(), live.created.version, &changes, &Default::default()).await
            }
        })
        .await;
    let held = s.held(&live).await?;
    let mut minted = 0;
    for (answer, token) in answers.into_iter().zip(&fresh) {
        // A request sends a cookie where the answer shows its secret: that must stay good.
        let told = worth(&answer?.record, token, s.now());
        claim_eq!(worth(&held.record, token, s.now()), told, "a secret, against what its request was told");
        minted += usize::from(told.is_good());
    }
    claim_eq!(minted, 1, "how many requests minted");
    claim_eq!(worth(&held.record, &live.token, s.now()), SecretState::Current, "the secret in use");
    Ok(())
}

async fn a_write_beside_a_renewal_is_kept(s: Stage) -> Verdict {
    for renewal_first in [false, true] {
        let live = s.open().await?;
        let fresh = s.secret_for(&live);
        let renew = renewal(&s, &live, &fresh);
        let write = s.setting(&live.created.record, "a", b"1");
        let order = if renewal_first { [&renew, &write] } else { [&write, &renew] };
        for changes in order {
            s.commit(&live, changes).await?;
        }
        let held = s.held(&live).await?;
        claim_eq!(held.record.value("a"), Some(&b"1"[..]), "the value (renewal first: {renewal_first})");
        claim_eq!(worth(&held.record, &fresh, s.now()), SecretState::Pending(1), "the new secret");
        let login = s.login(&live.created.record, &s.secret_for(&live), &s.user("ada"));
        let signed_in = s.commit(&live, &login).await?;
        // It is in there since before the login: a store of several owners, one of which took it again because it had not heard
        // of the login yet, cannot tell the one from the other.
        refused(
            s.commit(&live, &write).await,
            &[ErrorKind::Superseded, ErrorKind::Ambiguous],
            "the write, past a login",
        )?;
        claim_eq!(signed_in.record.value("a"), Some(&b"1"[..]), "the value after a login");
    }
    Ok(())
}
