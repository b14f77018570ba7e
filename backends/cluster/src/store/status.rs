//! What everybody may see of a store, without asking its task.

use abide_core::{Readiness, SessionKey};

use super::figures::Figures;
use crate::protocol::{Member, NodeId, View};

/// Where a server is in its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Whether it may be sent requests.
    pub readiness: Readiness,
    /// This process. It gets another id where it begins anew.
    pub me: Member,
    /// The number of the view that it is in, zero before the first.
    pub view: u64,
    /// Who is in the cluster, as far as it knows.
    pub members: Vec<Member>,
    /// Members that it does not hear, and waits for no more.
    pub suspects: Vec<NodeId>,
    pub(super) figures: Figures,
    pub(super) placing: Option<View>,
}

impl Status {
    pub(super) fn new(me: Member) -> Self {
        Self {
            readiness: Readiness::NotReady("begins".into()),
            me,
            view: 0,
            members: Vec::new(),
            suspects: Vec::new(),
            figures: Figures::default(),
            placing: None,
        }
    }

    /// For measurements: whether this server is one of those that keep a copy of a session.
    #[doc(hidden)]
    #[must_use]
    pub fn keeps(&self, key: &SessionKey) -> bool {
        self.placing.as_ref().is_some_and(|view| view.owners(key).contains(&self.me.id))
    }
}
