//! The steps of the protocol, as the simulator counts them: one that is never reached there fails its run.

macro_rules! steps {
    ($($name:ident = $text:literal,)+) => {
        $(pub(crate) const $name: &str = $text;)+

        /// All of them.
        #[cfg(feature = "__variants")]
        pub const STEPS: &[&str] = &[$($text),+];
    };
}

steps! {
    CAS_PREPARES = "cas: prepares",
    CAS_STORES_NEW = "cas: stores a new value",
    CAS_STORES_OLD = "cas: stores what was there",
    CAS_TAKES_ALONG = "cas: decides others of this node along",
    CAS_QUEUES = "cas: waits for another one of this node",
    CAS_OVERTAKEN_STORING = "cas: was overtaken while it stored",
    CAS_OVERTAKEN = "cas: was overtaken, and tries a higher ballot",
    EVICTED = "evicted: is out of the view",
    EXPIRES = "expiry: ends a session",
    SWEEPS = "expiry: drops what had its time from the list of a user",
    BELOW_FLOOR = "floor: a ballot below what was forgotten is refused",
    FOUNDING_REFUSED = "founding: an address refuses connections",
    FOUNDS = "founding: founds a cluster",
    GRANTS = "founding: grants",
    YIELDS = "founding: yields to another cluster",
    JOIN_FORMER_MEMBER = "join: a former member has to begin anew",
    JOIN_FOUND = "join: found a cluster",
    JOINED = "join: is a member",
    JOIN_LOOKS_AGAIN = "join: the cluster is gone, looks again",
    LEAVES = "leave: asks to be let go",
    HANDED_OVER = "leave: handed over",
    LEFT = "leave: is out of the view",
    HUNG = "operation: an attempt hung, and is made again",
    IN_DOUBT = "operation: ends in doubt",
    OUT_OF_REACH = "operation: ends out of reach",
    READS = "read: asks the owners",
    READ_DIFFERS = "read: copies differ, asks for all of them",
    READ_EXPIRES = "read: found a session past its deadline, and ends it",
    READ_STORES = "read: stores what it found before it answers",
    RECOVERS = "recover: founds a cluster of what is left",
    RECOVERED = "recover: goes on in the new cluster",
    MENDS = "repair: mends a key",
    SETTLES_PROMISE = "repair: settles a promise that was left behind",
    SCANS = "scan: asks the members",
    SCANNED = "scan: knows the sessions",
    SCANS_AGAIN = "scan: asks again",
    TELLS_DIFFERENCE = "repair: tells what differs",
    BURIED = "tombstone: all owners have it",
    UNBURIED = "tombstone: an owner lacks it",
    FORGOTTEN = "tombstone: is forgotten",
    COPIED = "transfer: copied in bulk",
    SYNCED = "transfer: has all its slots",
    TOOK_COMPLETE = "transfer: joined a complete copy",
    TOOK_SEALED = "transfer: joined a sealed majority",
    LETS_GO = "transfer: lets go of slots of others",
    TELLS_BULK = "transfer: tells in bulk",
    TELLS_SEALED = "transfer: tells what it sealed",
    VIEW_BEATEN = "view: a proposal was beaten",
    VIEW_CHOSEN = "view: is chosen",
    VIEW_PROPOSED = "view: is proposed",
    LAGS = "view: lags too far behind, and begins anew",
    WRITTEN = "write: a majority took it",
    WRITE_DIFFERS = "write: copies differ, asks for all of them",
    WRITE_UNSERVED = "write: owners do not serve, and it is decided by ballot",
    WRITES = "write: sends changes to all owners",
    WRITE_STORES = "write: stores the join of what it found before it answers",
    WRITE_OVERTAKEN = "write: was overtaken, and is decided by ballot",
    WRITE_REFUSED = "write: was refused by owners, and is decided by ballot",
}
