//! A Redis with two replicas, and three sentinels that choose the next master.

use super::node::{Node, until};
use super::resp::Value;

/// The name under which the sentinels know the master.
const NAME: &str = "counts";

/// After how many milliseconds a silent master is replaced.
const DOWN_AFTER: &str = "1000";

pub(crate) struct Sentinel {
    servers: Vec<Node>,
    sentinels: Vec<Node>,
}

impl Sentinel {
    /// Starts all of them, and waits until they know each other.
    pub(crate) fn start() -> Self {
        let settings = [("save", ""), ("appendonly", "yes"), ("repl-diskless-sync-delay", "0")];
        let master = Node::start(&settings);
        let of = format!("127.0.0.1 {}", master.port);
        let replica = || Node::start(&[&settings[..], &[("replicaof", &of)]].concat());
        let servers = vec![master, replica(), replica()];
        let lines = format!(
            "sentinel monitor {NAME} {of} 2\nsentinel down-after-milliseconds {NAME} {DOWN_AFTER}\n\
             sentinel failover-timeout {NAME} 4000\nsentinel parallel-syncs {NAME} 2\n"
        );
        let sentinels = (0..3).map(|_| Node::sentinel(&lines)).collect();
        let all = Self { servers, sentinels };
        all.settle();
        all
    }

    /// Waits until every server that runs follows one master, and every sentinel knows that.
    pub(crate) fn settle(&self) {
        until("the sentinels agree", || {
            self.master().is_some_and(|master| {
                let replicas = self.servers[master].reported("connected_slaves");
                let role = self.servers[master].reported("role");
                (&*role, &*replicas) == ("master", "2") && self.sentinels.iter().all(knows_all)
            })
        });
    }

    pub(crate) fn url(&self) -> String {
        let addresses: Vec<_> = self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
        format!("redis+sentinel://{}/{NAME}", addresses.join(","))
    }

    /// Which server is the master to all sentinels.
    pub(crate) fn master(&self) -> Option<usize> {
        let said = |sentinel: &Node| {
            let address = sentinel.ask(&["SENTINEL", "get-master-addr-by-name", NAME]).list();
            address[1].text().parse::<u16>().unwrap()
        };
        let port = said(&self.sentinels[0]);
        let is_agreed = self.sentinels[1..].iter().all(|sentinel| said(sentinel) == port);
        self.servers.iter().position(|server| server.port == port).filter(|_| is_agreed)
    }

    pub(crate) fn ask_master(&self, words: &[&str]) -> Value {
        self.servers[self.master().unwrap()].ask(words)
    }

    /// What the master is told from now on reaches no replica.
    pub(crate) fn stop_replication(&self) {
        let master = self.master().unwrap();
        let replicas = self.servers.iter().enumerate().filter(|(at, _)| *at != master);
        replicas.for_each(|(_, replica)| replica.pause());
        // What is under way already would reach them when they go on.
        self.servers[master].ask(&["CLIENT", "KILL", "TYPE", "replica"]);
    }

    /// Kills the master, lets the replicas go on, and waits until one of them is the master: the server that is away.
    pub(crate) fn fail_over(&mut self) -> usize {
        let before = self.master().unwrap();
        let pid = self.servers[before].pid();
        self.servers[before].kill();
        assert!(!super::node::is_running(pid));
        for (at, server) in self.servers.iter().enumerate() {
            if at != before {
                server.resume();
            }
        }
        until("there is another master", || {
            self.master().is_some_and(|now| now != before && self.servers[now].reported("role") == "master")
        });
        before
    }

    /// The server comes back with what it held; it becomes a replica, and forgets what the others do not know.
    pub(crate) fn come_back(&mut self, server: usize) {
        self.servers[server].start_again();
    }
}

fn knows_all(sentinel: &Node) -> bool {
    let master = sentinel.ask(&["SENTINEL", "master", NAME]);
    (&*master.field("flags"), &*master.field("num-slaves"), &*master.field("num-other-sentinels"))
        == ("master", "2", "2")
}
