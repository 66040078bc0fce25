//! What RPCs held besides messages: the cost of the network's upkeep.

/// Things in RPCs, added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// RPCs.
    pub rpcs: u64,
    /// Of them, those whose content the trace tells.
    pub told: u64,
    /// Messages.
    pub msgs: u64,
    /// Message ids announced.
    pub ihave: u64,
    /// Message ids asked for.
    pub iwant: u64,
    /// Grafts.
    pub graft: u64,
    /// Prunes.
    pub prune: u64,
    /// Message ids declined.
    pub idontwant: u64,
}

impl Held {
    /// Adds another sum.
    pub fn add(&mut self, other: &Self) {
        self.rpcs += other.rpcs;
        self.told += other.told;
        self.msgs += other.msgs;
        self.ihave += other.ihave;
        self.iwant += other.iwant;
        self.graft += other.graft;
        self.prune += other.prune;
        self.idontwant += other.idontwant;
    }

    /// All that is no message: ids announced, asked for and declined, grafts and prunes.
    pub fn control(&self) -> u64 {
        self.ihave + self.iwant + self.graft + self.prune + self.idontwant
    }

    /// Each kind by its word, in the order of the specification of gossipsub 1.2. RPCs whose content the trace does not
    /// tell count as RPCs only; the other numbers are absent where none of them tells any.
    pub fn each(&self) -> [(&'static str, Option<u64>); 8] {
        let told = |n: u64| (self.told > 0 || self.rpcs == 0).then_some(n);
        [
            ("rpcs", Some(self.rpcs)),
            ("messages", told(self.msgs)),
            ("ihave", told(self.ihave)),
            ("iwant", told(self.iwant)),
            ("graft", told(self.graft)),
            ("prune", told(self.prune)),
            ("idontwant", told(self.idontwant)),
            ("control", told(self.control())),
        ]
    }
}

/// The RPCs of a router.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// What it received.
    pub received: Held,
    /// What it sent.
    pub sent: Held,
    /// What it gave up sending.
    pub dropped: Held,
}

impl Sums {
    /// The sum that an event of this name belongs to.
    pub(super) fn of(&mut self, name: &str) -> Option<&mut Held> {
        match name {
            "recv_rpc" => Some(&mut self.received),
            "send_rpc" => Some(&mut self.sent),
            "drop_rpc" => Some(&mut self.dropped),
            _ => None,
        }
    }

    /// Adds another router's.
    pub fn add(&mut self, other: &Self) {
        self.received.add(&other.received);
        self.sent.add(&other.sent);
        self.dropped.add(&other.dropped);
    }
}
