//! What runs in the server: one script for each decision that must be one step there.
//!
//! Each concerns one key, so a Cluster needs nothing special, and uses commands of the oldest servers only. The ones of a
//! session know its string ([`envelope`](crate::envelope)) by its stamp alone: whether the first 16 bytes are those
//! that the writer saw, and whether the first bit says that the session is over.
//!
//! A write whose outcome is to be kept in the near-cache ends in a read, for a server tracks what is read and forgets
//! that at each write: `EXISTS`, in a script of its own, for each argument costs the server.

use std::sync::LazyLock;

use crate::connect::Script;

/// Two scripts that are one but for the end: what is written is tracked by the second.
macro_rules! write {
    ($write:literal) => {
        Write {
            plain: LazyLock::new(|| Script::new(concat!($write, "\nreturn 1"))),
            tracked: LazyLock::new(|| {
                Script::new(concat!($write, "\nredis.call('EXISTS', KEYS[1])\nreturn 1"))
            }),
        }
    };
}

/// A script that writes, without and with a read at its end.
pub(crate) struct Write {
    plain: LazyLock<Script>,
    tracked: LazyLock<Script>,
}

impl Write {
    pub(crate) fn script(&self, is_tracked: bool) -> &Script {
        if is_tracked { &self.tracked } else { &self.plain }
    }
}

/// Sets the string in place of the one with the stamp that was seen. `ARGV`: that stamp, the string, its life in
/// milliseconds. Answers 1, or what is there instead.
pub(crate) static REPLACE: Write = write!(
    "local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, 16) ~= ARGV[1] then return held end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])"
);

/// Sets the string where nothing is. `ARGV`: the string, its life. Answers 1, or what is there.
pub(crate) static CREATE: Write = write!(
    "local held = redis.call('GET', KEYS[1])
if held then return held end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])"
);

/// Sets the tombstone, whatever is there. `ARGV`: the tombstone, its life. Answers what was there.
pub(crate) static END: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local held = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return held",
    )
});

/// Sets the tombstone again, unless one is there: after a failover. `ARGV`: the tombstone, its life.
pub(crate) static END_AGAIN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local held = redis.call('GET', KEYS[1])
if held and #held > 0 and string.byte(held, 1) >= 128 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1",
    )
});

/// Writes without a change, so that replicas can be waited for: a `WAIT` asks about the writes of its own connection.
/// `ARGV`: the stamp that was seen, the string's life. Answers 1, or what is there instead.
pub(crate) static TOUCH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, 16) ~= ARGV[1] then return held end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1",
    )
});

/// What the scripts of a user's list share: see [`users`](crate::users) for what is in the list.
///
/// `barrier` is from when on logins count; `outlive` has the key live as long as its last entry; `raise` never lowers
/// a deadline, for two writers may come in either order.
macro_rules! list {
    ($rest:literal) => {
        LazyLock::new(|| {
            Script::new(concat!(
                "local list = KEYS[1]
local function refuses(began)
  local barrier = redis.call('ZSCORE', list, 'b')
  return barrier and tonumber(began) < tonumber(barrier) - 600000
end
local function outlive(life)
  if redis.call('PTTL', list) < tonumber(life) then redis.call('PEXPIRE', list, life) end
end
local function raise(member, deadline)
  local held = redis.call('ZSCORE', list, member)
  if not held or tonumber(held) < tonumber(deadline) then redis.call('ZADD', list, deadline, member) end
end
",
                $rest
            ))
        })
    };
}

/// Enters a login before its session shows it. `ARGV`: the entry, its deadline, when the request began, until when
/// entries are swept, the life of the list. Answers 1; 0 where all were ended since it began; 2 where later logins
/// took its place.
pub(crate) static ENTER: LazyLock<Script> = list!(
    "if refuses(ARGV[3]) then return 0 end
if redis.call('ZSCORE', list, 'o' .. ARGV[1]) then return 2 end
redis.call('ZREMRANGEBYSCORE', list, '-inf', ARGV[4])
local settled = 's' .. ARGV[1]
if redis.call('ZSCORE', list, settled) then raise(settled, ARGV[2]) else raise('p' .. ARGV[1], ARGV[2]) end
outlive(ARGV[5])
return 1"
);

/// Moves the deadline of an entry. `ARGV`: the entry, its deadline, the life of the list.
pub(crate) static SLIDE: LazyLock<Script> = list!(
    "local kind = 's'
for _, other in ipairs({'p', 'o'}) do
  if redis.call('ZSCORE', list, other .. ARGV[1]) then kind = other end
end
raise(kind .. ARGV[1], ARGV[2])
outlive(ARGV[3])
return 1"
);

/// Settles a login once its session shows it. `ARGV`: the entry, its deadline, when the request began, now, how many
/// sessions the user may have (0 for any number), the life of the list. Answers the entries that are too many then, never
/// this one; or 0 where all sessions were ended since it began.
///
/// Those that are too many, the oldest logins, are marked in the same step, and count no more: logins at the same time
/// agree on who stays. Whoever finds one marked ends it, also where the login that marked it never came to that.
pub(crate) static SETTLE: LazyLock<Script> = list!(
    "if refuses(ARGV[3]) then return 0 end
local own = 's' .. ARGV[1]
redis.call('ZREM', list, 'p' .. ARGV[1])
raise(own, ARGV[2])
outlive(ARGV[6])
local limit = tonumber(ARGV[5])
if limit == 0 then return {} end
local others, count, ended = {}, 0, {}
for _, member in ipairs(redis.call('ZRANGEBYSCORE', list, '(' .. ARGV[4], '+inf')) do
  local kind = string.sub(member, 1, 1)
  if #member == 23 and member ~= own then
    if string.sub(member, 2, 17) == string.sub(own, 2, 17) then
      if kind ~= 'p' then redis.call('ZREM', list, member) end
    elseif kind == 'o' then
      ended[#ended + 1] = string.sub(member, 2)
    elseif kind == 's' then
      local at = 0
      for n = 18, 23 do at = at * 256 + string.byte(member, n) end
      count = count + 1
      others[count] = {at, count, member}
    end
  end
end
table.sort(others, function(one, two)
  if one[1] ~= two[1] then return one[1] < two[1] end
  return one[2] < two[2]
end)
for n = 1, count + 1 - limit do
  local member = others[n][3]
  local deadline = redis.call('ZSCORE', list, member)
  local entry = string.sub(member, 2)
  redis.call('ZREM', list, member)
  redis.call('ZADD', list, deadline, 'o' .. entry)
  ended[#ended + 1] = entry
end
return ended"
);

/// Raises the barrier. `ARGV`: the score of the barrier, the life of the list. Answers all members.
pub(crate) static RAISE: LazyLock<Script> = list!(
    "raise('b', ARGV[1])
outlive(ARGV[2])
return redis.call('ZRANGE', list, 0, -1)"
);
