//! What these tests share.

use std::time::Duration;

use abide_harness::Redis;
use abide_redis::connect::{Address, LinkOptions, Servers};
use redis::Pipeline;
use tokio::time::Instant;

pub(crate) fn open(redis: &Redis) -> Servers {
    let address = Address::parse("redis", &format!("//{}", redis.address())).unwrap();
    Servers::open(address, LinkOptions::new()).unwrap()
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

pub(crate) fn get(key: &str) -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("GET").arg(key);
    pipeline
}

pub(crate) fn set(key: &str, value: &str) -> Pipeline {
    let mut pipeline = Pipeline::new();
    pipeline.cmd("SET").arg(key).arg(value);
    pipeline
}
