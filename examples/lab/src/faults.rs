//! What goes wrong in the middle of a run. Another fault is a variant here and its arm.

use std::io;

use clap::ValueEnum;

use crate::rig::Rig;
use crate::stage::Stage;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// Nothing goes wrong
    Nothing,
    /// SIGKILL to one server
    KillServer,
    /// One server more behind the balancer
    AddServer,
    /// SIGKILL to the Redis that the lab started, and an empty one in its place
    KillRedis,
    /// SIGKILL to the master of the Sentinel set that the lab started
    KillMaster,
}

impl Fault {
    /// Does it, and says what was done.
    pub(crate) async fn strike(self, rig: &mut Rig, stage: &Stage) -> io::Result<String> {
        Ok(match self {
            Self::Nothing => "nothing goes wrong".into(),
            Self::KillServer => format!("server {} killed", rig.kill_server(stage).await?),
            Self::AddServer => format!("server {} added", rig.add_server().await?),
            Self::KillRedis => {
                rig.replace_redis().await?;
                "Redis killed, and an empty one started in its place".into()
            }
            Self::KillMaster => {
                rig.kill_master().await?;
                "the master killed, and a replica to take its place".into()
            }
        })
    }
}
