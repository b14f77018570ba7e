//! In place of [`pool`](super::pool) where that feature is off: there is no such thing, and the compiler knows.

use std::convert::Infallible;

use redis::RedisResult;
use redis::aio::MultiplexedConnection;

use super::AddressError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Brought(Infallible);

pub(super) struct Taken(Infallible);

impl Brought {
    pub(super) fn check(&self) -> Result<(), AddressError> {
        match self.0 {}
    }

    pub(super) async fn take(&self) -> RedisResult<(MultiplexedConnection, Taken)> {
        match self.0 {}
    }
}

impl Taken {
    pub(super) fn put_back(self) {
        match self.0 {}
    }
}
