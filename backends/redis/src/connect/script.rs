//! A script that runs in the server, and one call of it.

use redis::Cmd;

/// A Lua script of one key, `KEYS[1]`.
///
/// A server knows it by its hash once it ran there. Where it does not, the call brings the text along at once: one trip
/// more, once after each start or failover of a server.
#[derive(Debug)]
pub struct Script {
    code: &'static str,
    hash: String,
}

impl Script {
    /// A script of this text.
    #[must_use]
    pub fn new(code: &'static str) -> Self {
        let hash = redis::Script::new(code).get_hash().to_owned();
        Self { code, hash }
    }

    /// The call by hash.
    pub(super) fn by_hash(&self, key: &[u8], arguments: &[&[u8]]) -> Cmd {
        call("EVALSHA", &self.hash, key, arguments)
    }

    /// The call that brings the text along.
    pub(super) fn by_text(&self, key: &[u8], arguments: &[&[u8]]) -> Cmd {
        call("EVAL", self.code, key, arguments)
    }
}

fn call(name: &str, script: &str, key: &[u8], arguments: &[&[u8]]) -> Cmd {
    let bytes: usize = arguments.iter().map(|argument| argument.len()).sum();
    let bytes = name.len() + script.len() + 1 + key.len() + bytes;
    let mut command = Cmd::with_capacity(4 + arguments.len(), bytes);
    command.arg(name).arg(script).arg(1).arg(key);
    for argument in arguments {
        command.arg(*argument);
    }
    command
}
