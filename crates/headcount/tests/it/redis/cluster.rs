//! A cluster of three masters with a replica each.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::node::{Node, free_port, until};
use super::resp::Value;

const SLOTS: u16 = 16_384;
const MASTERS: usize = 3;
/// After how many milliseconds a silent node has failed.
const NODE_TIMEOUT: u32 = 2000;
/// For how long Redis takes the votes of an election for those of the next one of the same node.
const ELECTION: Duration = Duration::from_millis(4 * NODE_TIMEOUT as u64);

pub(crate) struct Cluster {
    nodes: Vec<Node>,
    elected: Option<Instant>,
}

impl Cluster {
    /// Starts all nodes and waits until they serve together.
    pub(crate) fn start() -> Self {
        let (mut nodes, mut buses) = (Vec::new(), Vec::new());
        for _ in 0..2 * MASTERS {
            let bus = free_port().to_string();
            nodes.push(Node::start(&[
                ("save", ""),
                ("appendonly", "yes"),
                ("repl-diskless-sync-delay", "0"),
                ("cluster-enabled", "yes"),
                ("cluster-node-timeout", &NODE_TIMEOUT.to_string()),
                ("cluster-port", &bus),
            ]));
            buses.push(bus);
        }
        let cluster = Self { nodes, elected: None };
        for (at, node) in cluster.nodes.iter().enumerate() {
            node.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(at + 1).to_string()]);
            node.ask(&["CLUSTER", "MEET", "127.0.0.1", &cluster.nodes[0].port.to_string(), &buses[0]]);
        }
        until("all nodes know each other", || {
            cluster.nodes.iter().all(|node| node.ask(&["CLUSTER", "INFO"]).text().contains("cluster_known_nodes:6"))
        });
        for (at, replica) in cluster.nodes[MASTERS..].iter().enumerate() {
            let id = cluster.id(at);
            until("a replica knows its master", || {
                replica.try_ask(&["CLUSTER", "REPLICATE", &id]).is_ok_and(|reply| reply.text() == "OK")
            });
        }
        for at in 0..MASTERS {
            let [first, end] = [at, at + 1].map(|part| usize::from(SLOTS) * part / MASTERS);
            let [first, last] = [first, end - 1].map(|slot| slot.to_string());
            cluster.nodes[at].ask(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
        }
        cluster.settle();
        cluster
    }

    /// Waits until every slot is served, every node that runs says so, and every master has a replica that follows it and
    /// has what was written before the call.
    pub(crate) fn settle(&self) {
        let offset = |node: &Node, name: &str| node.reported(name).parse::<u64>().unwrap_or_default();
        let written: Vec<(String, u64)> =
            self.nodes.iter().map(|node| (node.port.to_string(), offset(node, "master_repl_offset"))).collect();
        let has_all = |replica: &Node| {
            let of_master = |(port, _): &&(String, u64)| *port == replica.reported("master_port");
            written.iter().find(of_master).is_some_and(|(_, written)| offset(replica, "slave_repl_offset") >= *written)
        };
        until("the cluster serves", || {
            let serves = |node: &Node| node.ask(&["CLUSTER", "INFO"]).text().contains("cluster_state:ok");
            let (masters, replicas): (Vec<&Node>, Vec<&Node>) =
                self.nodes.iter().partition(|node| node.reported("role") == "master");
            masters.len() == MASTERS
                && self.nodes.iter().all(serves)
                && masters.iter().all(|master| master.reported("connected_slaves") == "1")
                && replicas.iter().all(|replica| replica.reported("master_link_status") == "up" && has_all(replica))
        });
    }

    pub(crate) fn url(&self) -> String {
        let addresses: Vec<_> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+cluster://{}", addresses.join(","))
    }

    /// The nodes that are masters.
    pub(crate) fn masters(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|&at| self.nodes[at].reported("role") == "master").collect()
    }

    fn id(&self, node: usize) -> String {
        self.nodes[node].ask(&["CLUSTER", "MYID"]).text()
    }

    /// Which node is the master of that slot, to a master that runs.
    pub(crate) fn master_of(&self, slot: u16) -> Option<usize> {
        let is_master = |node: &&Node| node.try_ask(&["ROLE"]).is_ok_and(|role| role.text().starts_with("master"));
        self.master_to(self.nodes.iter().find(is_master)?, slot)
    }

    /// The same to that node.
    fn master_to(&self, node: &Node, slot: u16) -> Option<usize> {
        let port = node.ask(&["CLUSTER", "SLOTS"]).list().into_iter().find_map(|range| {
            let range = range.list();
            let [first, last] = [&range[0], &range[1]].map(|slot| slot.text().parse::<u16>().unwrap());
            (first..=last).contains(&slot).then(|| range[2].clone().list()[1].text())
        })?;
        self.nodes.iter().position(|node| node.port.to_string() == port)
    }

    /// Which node follows that master.
    pub(crate) fn replica_of(&self, master: usize) -> Option<usize> {
        let port = self.nodes[master].port.to_string();
        self.nodes.iter().position(|node| {
            node.try_ask(&["ROLE"]).is_ok_and(|role| {
                let role = role.list();
                role[0].text() == "slave" && role[2].text() == port
            })
        })
    }

    /// The slot that holds most keys.
    pub(crate) fn fullest_slot(&self) -> u16 {
        let mut counts: BTreeMap<u16, usize> = BTreeMap::new();
        for node in &self.nodes {
            for key in node.ask(&["KEYS", "*"]).list() {
                let slot = node.ask(&["CLUSTER", "KEYSLOT", &key.text()]).text().parse().unwrap();
                *counts.entry(slot).or_default() += 1;
            }
        }
        counts.into_iter().max_by_key(|(_, keys)| *keys).unwrap().0
    }

    pub(crate) fn ask(&self, node: usize, words: &[&str]) -> Value {
        self.nodes[node].ask(words)
    }

    /// A replica takes over from its master, which knows nothing of it: `FORCE` asks the other masters, `TAKEOVER` none.
    pub(crate) fn take_over(&mut self, slot: u16, how: &str) {
        self.await_election();
        let before = self.master_of(slot).unwrap();
        let replica = self.replica_of(before).unwrap();
        self.nodes[replica].ask(&["CLUSTER", "FAILOVER", how]);
        until("the replica is the master", || {
            self.master_of(slot) == Some(replica) && self.nodes[before].reported("role") == "slave"
        });
    }

    /// Kills the master of a slot, and waits until its replica serves it: the node that is away.
    pub(crate) fn kill_master_of(&mut self, slot: u16) -> usize {
        self.await_election();
        let master = self.master_of(slot).unwrap();
        self.nodes[master].kill();
        until("the replica is the master", || self.master_of(slot).is_some_and(|now| now != master));
        master
    }

    /// Waits until the votes of the election before are forgotten.
    fn await_election(&mut self) {
        if let Some(before) = self.elected {
            std::thread::sleep(ELECTION.saturating_sub(before.elapsed()));
        }
        self.elected = Some(Instant::now());
    }

    pub(crate) fn come_back(&mut self, node: usize) {
        self.nodes[node].start_again();
    }

    /// Moves a slot and what it holds to the next master, as an operator does while clients use it.
    pub(crate) fn move_slot(&self, slot: u16) {
        let from = self.master_of(slot).unwrap();
        let mut others = self.masters();
        others.retain(|&at| at != from);
        others.sort_unstable_by_key(|&at| (at < from, at));
        let (to, number) = (others[0], slot.to_string());
        let [from_id, to_id] = [from, to].map(|node| self.id(node));
        self.nodes[to].ask(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &from_id]);
        self.nodes[from].ask(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &to_id]);
        let port = self.nodes[to].port.to_string();
        loop {
            let keys = self.nodes[from].ask(&["CLUSTER", "GETKEYSINSLOT", &number, "10"]).list();
            if keys.is_empty() {
                break;
            }
            let keys: Vec<String> = keys.iter().map(Value::text).collect();
            let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            words.extend(keys.iter().map(String::as_str));
            self.nodes[from].ask(&words);
        }
        // The new master first: the slot is never without one.
        for node in [to, from] {
            self.nodes[node].ask(&["CLUSTER", "SETSLOT", &number, "NODE", &to_id]);
        }
        until("all masters know of the move", || {
            self.masters().into_iter().all(|master| self.master_to(&self.nodes[master], slot) == Some(to))
        });
    }
}
