//! One fault after the other, in any order and without a pause between them, with two instances and a network that loses
//! replies all the time.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::{Site, say};
use crate::effort;
use crate::ledger;
use crate::process::Server;
use crate::redis::one::{Log, One};
use crate::redis::proxy::{Fate, Network, Proxy, is_script};

#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    RedisKilled,
    RedisEmptied,
    RedisOlder,
    RedisStandsStill,
    Network(Network),
    InstanceKilled,
}

const FAULTS: [Fault; 9] = [
    Fault::None,
    Fault::RedisKilled,
    Fault::RedisEmptied,
    Fault::RedisOlder,
    Fault::RedisStandsStill,
    Fault::Network(Network::Holds),
    Fault::Network(Network::Swallows),
    Fault::Network(Network::Resets),
    Fault::InstanceKilled,
];

struct World {
    redis: One,
    proxy: Proxy,
    // Whether it loses replies now: a report needs them.
    loses: Arc<AtomicBool>,
    copy: PathBuf,
    sites: [Site; 2],
    servers: [Server; 2],
}

impl World {
    async fn open() -> Self {
        let redis = One::start(Log::None);
        let loses = Arc::new(AtomicBool::new(true));
        let (now, mut scripts) = (loses.clone(), 0);
        let judge = move |words: &[Vec<u8>]| {
            scripts += u32::from(is_script(words));
            let is_lost = is_script(words) && scripts % 20 == 0 && now.load(Ordering::SeqCst);
            if is_lost { Fate::ReplyLost } else { Fate::Forwarded }
        };
        let proxy = Proxy::judging(redis.port(), Box::new(judge)).await;
        let one = Site::open().await;
        let sites = [one.copied(1), one];
        let servers = sites.each_ref().map(|site| site.serve(&proxy.url()));
        Self { copy: redis.copy(), redis, proxy, loses, sites, servers }
    }

    fn suffer(&mut self, fault: Fault, time: Duration, instance: usize) {
        match fault {
            Fault::None => {}
            Fault::RedisKilled => {
                self.redis.kill();
                std::thread::sleep(time);
                self.redis.start_again();
            }
            Fault::RedisEmptied => self.redis.empty(),
            Fault::RedisOlder => self.redis.become_again(&self.copy),
            Fault::RedisStandsStill => {
                self.redis.pause();
                std::thread::sleep(time);
                self.redis.resume();
            }
            Fault::Network(network) => {
                self.proxy.set(network);
                std::thread::sleep(time);
                self.proxy.set(Network::Works);
            }
            Fault::InstanceKilled => {
                self.servers[instance].kill();
                self.servers[instance] = self.sites[instance].serve(&self.proxy.url());
            }
        }
    }

    /// What was certainly recorded is counted by both, and nothing that was not sent.
    async fn compare(&self) {
        self.loses.store(false, Ordering::SeqCst);
        let ledger = &self.sites[0].clients.ledger;
        assert!(ledger.devices(&[ledger::Fate::Skipped]).is_empty());
        for server in &self.servers {
            self.sites[0].await_recorded(server, ledger).await;
        }
        self.loses.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anything_that_happens_in_any_order() {
    let mut random = StdRng::seed_from_u64(effort::seed());
    let mut world = World::open().await;
    let started = Instant::now();
    for round in 0..effort::rounds(12, 300) {
        let (fault, instance) = (*FAULTS.choose(&mut random).unwrap(), random.random_range(0..2));
        let time = Duration::from_millis(random.random_range(0..700));
        say(&format!("{:.1?}: {fault:?} for {time:.1?}, instance {instance}", started.elapsed()));
        if random.random_ratio(1, 4) {
            world.copy = world.redis.copy();
        }
        let mut loads = Vec::new();
        for at in 0..2 {
            let (sites, servers) = (&mut world.sites, &world.servers);
            loads.push(sites[at].clients.begin(&servers[at]));
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        world.suffer(fault, time, instance);
        tokio::time::sleep(Duration::from_millis(random.random_range(0..300))).await;
        for (site, load) in world.sites.iter_mut().zip(loads) {
            site.clients.end(load).await;
        }
        if round % 4 == 3 {
            world.compare().await;
        }
    }
    world.compare().await;
    world.sites[0].assert_devices(&world.redis.url()).await;
    println!("{} recorded, {} replies lost", world.sites[0].recorded(), world.proxy.lost());
}
