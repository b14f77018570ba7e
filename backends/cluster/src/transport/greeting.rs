//! Both sides show who they are, before anything else is said.
//!
//! **Invariant.** Nothing of a peer but its greeting is read before its certificate was verified, where there are
//! certificates, and nothing but its greeting before that was accepted.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::counts::Refusal;
use super::frame::Kind;
use super::hello::{self, Hello};
use super::identity::Identity;
use super::stream::{Frames, Stream, is_tls, send};
use crate::protocol::Member;

/// Whoever calls bounds the time of the whole greeting.
const ENOUGH: Duration = Duration::MAX;

/// Why the side that connected has no link.
#[derive(Debug)]
pub(super) enum NoLink {
    /// Nobody listens there.
    Refused,
    /// Nobody answered in time, or the connection broke.
    Unanswered,
    /// This side does not want it.
    Unwanted(Refusal),
    /// The other side does not want it, and says why.
    Rejected(Option<Refusal>),
}

/// Greets whoever accepted.
pub(super) async fn greet(
    stream: TcpStream,
    identity: Option<&Identity>,
    own: &Hello,
) -> Result<(Frames<Stream>, Member), NoLink> {
    let stream = match identity {
        None => Stream::Left(stream),
        Some(identity) => {
            let connector = TlsConnector::from(identity.client.clone());
            let connected = connector.connect(identity.name.clone(), stream).await;
            Stream::Right(connected.map_err(not_secured)?.into())
        }
    };
    let mut frames = Frames::new(stream, hello::LARGEST);
    send(&mut frames.stream, Kind::Hello, &own.encode()).await.map_err(|_| NoLink::Unanswered)?;
    let answer = frames.next(ENOUGH).await.map_err(|end| match end.into() {
        // This side's certificate was looked at after this side was done.
        Refusal::Tls => NoLink::Rejected(Some(Refusal::Tls)),
        Refusal::Gone => NoLink::Unanswered,
        refusal => NoLink::Unwanted(refusal),
    })?;
    let peer = match answer.kind {
        Kind::Hello => Hello::decode(&answer.payload).map_err(NoLink::Unwanted)?,
        Kind::Refusal => {
            let reason = answer.payload.first().copied().and_then(Refusal::from_byte);
            return Err(NoLink::Rejected(reason));
        }
        _ => return Err(NoLink::Unwanted(Refusal::Garbage)),
    };
    peer.check(own).map_err(NoLink::Unwanted)?;
    Ok((frames, peer.member))
}

fn not_secured(error: std::io::Error) -> NoLink {
    if is_tls(&error) { NoLink::Unwanted(Refusal::Tls) } else { NoLink::Unanswered }
}

/// Answers whoever connected.
pub(super) async fn answer(
    stream: TcpStream,
    identity: Option<&Identity>,
    own: &Hello,
) -> Result<(Frames<Stream>, Member), Refusal> {
    let stream = match identity {
        None => Stream::Left(stream),
        Some(identity) => {
            let accepted = TlsAcceptor::from(identity.server.clone()).accept(stream).await;
            let failed = |error| if is_tls(&error) { Refusal::Tls } else { Refusal::Gone };
            Stream::Right(accepted.map_err(failed)?.into())
        }
    };
    let mut frames = Frames::new(stream, hello::LARGEST);
    let greeted = frames.next(ENOUGH).await.map_err(Refusal::from).and_then(|frame| match frame.kind {
        Kind::Hello => Hello::decode(&frame.payload),
        _ => Err(Refusal::Garbage),
    });
    match greeted.and_then(|peer| peer.check(own).map(|()| peer.member)) {
        Ok(member) => {
            send(&mut frames.stream, Kind::Hello, &own.encode()).await.map_err(|_| Refusal::Gone)?;
            Ok((frames, member))
        }
        Err(refusal) => {
            // A courtesy: it is refused whether or not it hears why.
            let _ = send(&mut frames.stream, Kind::Refusal, &[refusal.to_byte()]).await;
            Err(refusal)
        }
    }
}
