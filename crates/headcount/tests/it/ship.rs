//! From the spool to the store: whatever happens to either, each event is counted once.

mod clock;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use headcount::background::Background;
use headcount::clock::Clock;
use headcount::installation::Installation;
use headcount::retention::Retention;
use headcount::ship::{self, Lagging, Settings, Shipping};
use headcount::spool::{Limits, Spool, SpoolFile, StoredRow, files};
use headcount::store::cache::SegmentCache;
use headcount::store::{Compaction, DictionaryState, Store};
use headcount_engine::day::{Day, Millis};
use headcount_engine::device::Pseudonym;
use headcount_engine::dimension::{Dimension, Value};
use headcount_engine::event::{Event, Values};
use headcount_engine::format::{encode, seal};
use headcount_engine::id::{AppId, Id, OwnerId};
use headcount_engine::mark::{Mark, SpoolId};
use headcount_engine::recorded::{Recorded, SkipReason};
use headcount_engine::row::{self, Row, Tally};
use proptest::prelude::*;
use rusqlite::Connection;
use tokio_util::sync::CancellationToken;

use crate::app::fresh_directory;

const TODAY: Day = Day(20_000);
const DAY: Duration = Duration::from_hours(24);

fn owner(number: u8) -> OwnerId {
    OwnerId(Id::from_bytes([number; 12]))
}

fn app(number: u8) -> AppId {
    AppId(Id::from_bytes([100 + number; 12]))
}

fn device(number: u32) -> Pseudonym {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    Pseudonym(bytes)
}

fn event(of: u8, device_number: u32, version: &str, at: Millis) -> Event {
    let mut values = Values::default();
    values[Dimension::Version] = Some(Value::new(version));
    values[Dimension::Platform] = Some(Value::new("darwin"));
    Event { owner: owner(of), app: app(of), at, device: device(device_number), values }
}

/// A distinct device of owner 1, now.
fn check(number: u32, clock: &Clock) -> Event {
    event(1, number, "1.0.0", clock.now())
}

/// A store in a directory of its own.
struct Place {
    directory: PathBuf,
    installation: Installation,
}

impl Place {
    fn fresh() -> Self {
        let installation = Installation { id: Id::from_bytes([1; 12]), secret: [2; 32] };
        Self { directory: fresh_directory(), installation }
    }

    fn path(&self) -> PathBuf {
        self.directory.join("store.db")
    }

    async fn open(&self) -> Arc<Store> {
        Arc::new(Store::open_embedded(&self.path(), &self.installation).await.unwrap())
    }

    fn delete(&self) {
        for suffix in ["", "-wal", "-shm"] {
            // Not all of them exist.
            _ = std::fs::remove_file(self.directory.join(format!("store.db{suffix}")));
        }
    }

    /// A copy of what it holds now.
    fn copy(&self) -> PathBuf {
        let copy = self.directory.join(format!("copy-{}", hex::encode(rand::random::<[u8; 4]>())));
        let rows = Connection::open(self.path()).unwrap();
        rows.execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
        copy
    }

    /// Makes the store what the copy is, or empty, while others have it open.
    fn become_again(&self, copy: Option<&Path>) {
        let mut rows = Connection::open(self.path()).unwrap();
        if let Some(copy) = copy {
            rows.execute("ATTACH ?1 AS old", [copy.to_str().unwrap()]).unwrap();
        }
        let transaction = rows.transaction().unwrap();
        for table in ["mark", "receipt", "dictionary", "block", "segment", "delta", "piece", "incomplete"] {
            transaction.execute(&format!("DELETE FROM {table}"), []).unwrap();
            if copy.is_some() {
                transaction.execute(&format!("INSERT INTO {table} SELECT * FROM old.{table}"), []).unwrap();
            }
        }
        transaction.commit().unwrap();
    }
}

/// A spool and its shipper.
struct Machine {
    directory: PathBuf,
    clock: Clock,
    spool: Arc<Spool>,
    shipping: Shipping,
    committer: JoinHandle<()>,
    shipper: JoinHandle<()>,
    stop: CancellationToken,
}

fn limits() -> Limits {
    Limits { queue_events: 1 << 16, commit_wait: Duration::from_secs(5), max_bytes: 1 << 33 }
}

fn settings() -> Settings {
    let retention = Retention::of_installation(30);
    Settings { interval: Duration::from_millis(50), retention, replay_window: DAY, replay_bytes: 1 << 30 }
}

impl Machine {
    fn start(directory: &Path, store: &Arc<Store>, clock: &Clock) -> Self {
        Self::with(directory, store, clock, (limits(), settings()))
    }

    fn with(directory: &Path, store: &Arc<Store>, clock: &Clock, (limits, settings): (Limits, Settings)) -> Self {
        let (spool, committer) = Spool::open(directory, limits, clock.clone()).unwrap();
        let (spool, stop) = (Arc::new(spool), CancellationToken::new());
        let (shipping, shipper) =
            ship::start(spool.clone(), store.clone(), clock.clone(), settings, stop.clone()).unwrap();
        let (directory, clock) = (directory.to_owned(), clock.clone());
        Self { directory, clock, spool, shipping, committer, shipper, stop }
    }

    async fn record(&self, event: Event) {
        assert_eq!(self.spool.record(event).await, Recorded::Recorded);
    }

    async fn record_all(&self, events: Vec<Event>) {
        let fates = events.into_iter().map(|event| self.spool.record(event));
        for fate in futures_util::future::join_all(fates).await {
            assert_eq!(fate, Recorded::Recorded);
        }
    }

    async fn flush(&self) -> Result<(), Lagging> {
        self.shipping.flush().await
    }

    /// Stops as the server does; what is in the spool is shipped.
    async fn stop(self) {
        self.spool.close().await;
        tokio::task::spawn_blocking(move || {
            self.committer.join().unwrap();
            self.stop.cancel();
            self.shipper.join().unwrap();
        })
        .await
        .unwrap();
    }

    async fn restart(self, store: &Arc<Store>) -> Self {
        let (directory, clock) = (self.directory.clone(), self.clock.clone());
        self.stop().await;
        Self::start(&directory, store, &clock)
    }
}

/// What is counted of one app and day, as plain sets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Counted {
    requests: BTreeMap<Values, u64>,
    platforms: BTreeSet<(Value, Pseudonym)>,
    // The newest time of a device, and its version then.
    versions: BTreeSet<(Value, Pseudonym)>,
    tallies: BTreeMap<(String, String), u64>,
}

type Report = BTreeMap<(OwnerId, AppId, Day), Counted>;

/// What must be counted of these events.
fn model<'a>(events: impl IntoIterator<Item = &'a Event>) -> Report {
    let mut report = Report::new();
    let mut last: BTreeMap<(OwnerId, AppId, Day, Pseudonym), (Millis, Value)> = BTreeMap::new();
    for event in events {
        let counted = report.entry((event.owner, event.app, event.at.day())).or_default();
        *counted.requests.entry(event.values.clone()).or_default() += 1;
        counted.platforms.insert((event.values[Dimension::Platform].clone().unwrap(), event.device));
        let seen = (event.at, event.values[Dimension::Version].clone().unwrap());
        let register =
            last.entry((event.owner, event.app, event.at.day(), event.device)).or_insert_with(|| seen.clone());
        if (seen.0, &seen.1) > (register.0, &register.1) {
            *register = seen;
        }
    }
    for ((owner, app, day, device), (_, version)) in last {
        report.get_mut(&(owner, app, day)).unwrap().versions.insert((version, device));
    }
    report
}

/// What the store has counted, and which days it knows to be incomplete.
async fn report(store: &Store) -> (Report, BTreeSet<(OwnerId, AppId, Day)>) {
    let (mut report, mut incomplete) = (Report::new(), BTreeSet::new());
    for owner in store.owners().await.unwrap() {
        let dictionary = store.dictionary(owner, DictionaryState::default()).await.unwrap();
        let devices: Vec<Pseudonym> = dictionary.blocks.into_iter().flat_map(|block| block.pseudonyms).collect();
        assert_eq!(devices.iter().collect::<BTreeSet<_>>().len(), devices.len(), "a device has two ordinals");
        let segments = cache_of(1 << 20).segments(store, owner, TODAY.plus(-60)..=TODAY.plus(60)).await.unwrap();
        incomplete.extend(segments.incomplete.into_iter().map(|(app, day)| (owner, app, day)));
        for seen in segments.seen {
            let pairs = |dimension| -> BTreeSet<(Value, Pseudonym)> {
                let values = seen.segment.values(dimension);
                values.flat_map(|(value, bits)| bits.iter().map(|bit| (value.clone(), devices[bit as usize]))).collect()
            };
            let counted = Counted {
                requests: seen.segment.requests().map(|(values, count)| (values.clone(), count)).collect(),
                platforms: pairs(Dimension::Platform),
                versions: pairs(Dimension::Version),
                tallies: seen
                    .segment
                    .tallies()
                    .map(|(kind, value, count)| ((kind.to_owned(), value.to_owned()), count))
                    .collect(),
            };
            report.insert((owner, seen.app, seen.day), counted);
        }
    }
    (report, incomplete)
}

async fn assert_counted<'a>(store: &Store, events: impl IntoIterator<Item = &'a Event>) {
    let (counted, incomplete) = report(store).await;
    assert_eq!(counted, model(events));
    assert_eq!(incomplete, BTreeSet::new());
}

fn copy_spool(from: &Path) -> PathBuf {
    let to = fresh_directory();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
    to
}

fn cache_of(limit: usize) -> SegmentCache {
    SegmentCache::new(limit, Background::new().unwrap())
}

pub(crate) async fn compact(store: &Store) {
    for head in store.heads().await.unwrap() {
        let segments = cache_of(0).segments(store, head.owner, head.day..=head.day).await.unwrap();
        let Some(seen) = segments.seen.iter().find(|seen| seen.app == head.app) else { continue };
        let pieces = encode(&seen.segment).chunks(100).map(|piece| seal(piece.to_vec())).collect();
        let (owner, app, day, from) = (head.owner, head.app, head.day, seen.version);
        // Whoever ships meanwhile may have changed it.
        _ = store.compact(Compaction { owner, app, day, from, pieces, timed: true }).await.unwrap();
    }
}

/// A spool file with these rows, as a process that died left it.
fn left_behind(directory: &Path, id: SpoolId, rows: &[(u64, u8, Row)]) {
    std::fs::create_dir_all(directory).unwrap();
    let file = SpoolFile::create(directory, id, TODAY.start(), true).unwrap();
    for (number, tag, row) in rows {
        let mark = Mark { row: *number, tag: [*tag; 8] };
        file.append(&StoredRow { mark, body: row::encode(row), receipt: None }).unwrap();
    }
}

fn row_of(events: Vec<Event>) -> Row {
    Row { events, tallies: Vec::new() }
}

fn rows_in(directory: &Path, id: SpoolId) -> usize {
    let file = SpoolFile::open(&SpoolFile::path_of(directory, id)).unwrap().unwrap();
    file.rows_after(None, usize::MAX).unwrap().len()
}

#[derive(Debug, Clone)]
enum Act {
    Record { machine: usize, events: Vec<(u8, u32, u8, i64)> },
    Flush { machine: usize },
    Restart { machine: usize },
    Compact,
    CopyStore,
    RestoreStore,
    EmptyStore,
    CopyMachine { machine: usize },
}

fn act() -> impl Strategy<Value = Act> {
    let happened = (1..4_u8, 0..30_u32, 0..3_u8, -2..=0_i64);
    let machine = || 0..3_usize;
    prop_oneof![
        8 => (machine(), proptest::collection::vec(happened, 1..20))
            .prop_map(|(machine, events)| Act::Record { machine, events }),
        4 => machine().prop_map(|machine| Act::Flush { machine }),
        3 => machine().prop_map(|machine| Act::Restart { machine }),
        2 => Just(Act::Compact),
        1 => Just(Act::CopyStore),
        1 => Just(Act::RestoreStore),
        1 => Just(Act::EmptyStore),
        1 => machine().prop_map(|machine| Act::CopyMachine { machine }),
    ]
}

async fn play(acts: Vec<Act>) {
    let (place, clock) = (Place::fresh(), Clock::stopped_at(Millis(TODAY.start().0 + 1)));
    let store = place.open().await;
    let mut machines = vec![Machine::start(&fresh_directory(), &store, &clock)];
    let (mut events, mut copy) = (Vec::new(), None);
    for act in acts {
        clock.advance(Duration::from_millis(1));
        match act {
            Act::Record { machine, events: happened } => {
                let now = clock.now().0;
                let new = happened.into_iter().map(|(of, device, version, day)| {
                    event(of, device, &format!("1.{version}.0"), Millis(now + day * 86_400_000))
                });
                let new: Vec<Event> = new.collect();
                events.extend(new.iter().cloned());
                let machine = machine % machines.len();
                machines[machine].record_all(new).await;
            }
            Act::Flush { machine } => {
                let machine = machine % machines.len();
                machines[machine].flush().await.unwrap();
            }
            Act::Restart { machine } => {
                let machine = machine % machines.len();
                let restarted = machines.remove(machine).restart(&store).await;
                machines.insert(machine, restarted);
            }
            Act::Compact => compact(&store).await,
            Act::CopyStore => copy = Some(place.copy()),
            Act::RestoreStore => place.become_again(copy.as_deref()),
            Act::EmptyStore => place.become_again(None),
            Act::CopyMachine { machine } if machines.len() < 3 => {
                let copied = copy_spool(&machines[machine % machines.len()].directory);
                machines.push(Machine::start(&copied, &store, &clock));
            }
            Act::CopyMachine { .. } => {}
        }
    }
    // Every shipper looks at its marks when it starts.
    let mut again = Vec::new();
    for machine in machines {
        again.push(machine.restart(&store).await);
    }
    for machine in &again {
        machine.flush().await.unwrap();
    }
    assert_counted(&store, &events).await;
    for machine in again {
        machine.stop().await;
    }
    assert_counted(&store, &events).await;
}

#[test]
fn any_history_counts_each_event_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = ProptestConfig { cases: 12, failure_persistence: None, max_shrink_iters: 60, ..Default::default() };
    proptest!(config, |(acts in proptest::collection::vec(act(), 1..25))| {
        runtime.block_on(play(acts));
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_running_store_lost_is_shipped_before_what_follows() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let store = place.open().await;
    let machine = Machine::start(&directory, &store, &clock);
    let mut events = Vec::new();
    for number in 0..5 {
        events.push(check(number, &clock));
        machine.record(check(number, &clock)).await;
        machine.flush().await.unwrap();
    }
    let copy = place.copy();
    for lost in [Some(copy.as_path()), None, Some(copy.as_path())] {
        for number in 0..5 {
            let number = events.len() as u32 * 10 + number;
            events.push(check(number, &clock));
            machine.record(check(number, &clock)).await;
            machine.flush().await.unwrap();
        }
        place.become_again(lost);
        events.push(check(9_999, &clock));
        machine.record(check(9_999, &clock)).await;
        machine.flush().await.unwrap();
        assert_counted(&store, &events).await;
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_machine_fills_a_store_that_lost_everything() {
    let (place, clock) = (Place::fresh(), Clock::stopped_at(TODAY.start()));
    let store = place.open().await;
    let machine = Machine::start(&fresh_directory(), &store, &clock);
    let events: Vec<Event> = (0..100).map(|number| check(number, &clock)).collect();
    machine.record_all(events.clone()).await;
    machine.flush().await.unwrap();
    place.become_again(None);
    let started = Instant::now();
    while report(&store).await.0 != model(&events) {
        assert!(started.elapsed() < Duration::from_mins(1), "the store is not filled again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_counted(&store, &events).await;
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_deleted_is_filled_again() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let mut events = Vec::new();
    for start in 0..3 {
        let store = place.open().await;
        let machine = Machine::start(&directory, &store, &clock);
        let new: Vec<Event> = (0..50).map(|number| event(1 + start, number, "1.0.0", clock.now())).collect();
        machine.record_all(new.clone()).await;
        events.extend(new);
        machine.stop().await;
        assert_counted(&store, &events).await;
        drop(store);
        place.delete();
    }
    let store = place.open().await;
    assert_counted(&store, []).await;
    let machine = Machine::start(&directory, &store, &clock);
    machine.flush().await.unwrap();
    assert_counted(&store, &events).await;
    machine.stop().await;
}

/// Rows are dropped one replay window after they were shipped.
async fn with_dropped_rows(place: &Place, directory: &Path, clock: &Clock) -> (Vec<Event>, Vec<Event>) {
    let store = place.open().await;
    let machine = Machine::start(directory, &store, clock);
    let old = vec![
        event(1, 1, "1.0.0", clock.now()),
        event(1, 2, "1.0.0", Millis(clock.now().0 - 86_400_000)),
        event(2, 1, "1.0.0", clock.now()),
    ];
    machine.record_all(old.clone()).await;
    machine.stop().await;
    clock.advance(DAY * 2);
    let machine = Machine::start(directory, &store, clock);
    let new = vec![event(1, 3, "1.0.0", clock.now()), event(3, 1, "1.0.0", clock.now())];
    machine.record_all(new.clone()).await;
    machine.stop().await;
    assert_counted(&store, old.iter().chain(&new)).await;
    (old, new)
}

#[tokio::test(flavor = "multi_thread")]
async fn days_of_rows_that_are_no_longer_kept_become_incomplete() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let (old, new) = with_dropped_rows(&place, &directory, &clock).await;
    place.delete();
    let store = place.open().await;
    let expected: BTreeSet<_> = old.iter().map(|event| (event.owner, event.app, event.at.day())).collect();
    for _ in 0..2 {
        let machine = Machine::start(&directory, &store, &clock);
        machine.flush().await.unwrap();
        machine.stop().await;
        let (counted, incomplete) = report(&store).await;
        assert_eq!(counted, model(&new));
        assert_eq!(incomplete, expected);
    }
    // Nothing is lost twice: past the retention nobody asks for those days.
    clock.advance(DAY * 40);
    let machine = Machine::start(&directory, &store, &clock);
    machine.flush().await.unwrap();
    machine.stop().await;
    assert_eq!(files(&directory).unwrap().len(), 1, "spent files are deleted, but for the one that was just written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_lost_only_what_is_kept_has_no_incomplete_day() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let store = place.open().await;
    let machine = Machine::start(&directory, &store, &clock);
    let old: Vec<Event> = (0..10).map(|number| check(number, &clock)).collect();
    machine.record_all(old.clone()).await;
    machine.stop().await;
    clock.advance(DAY * 2);
    // The old rows go.
    Machine::start(&directory, &store, &clock).stop().await;
    let copy = place.copy();
    let machine = Machine::start(&directory, &store, &clock);
    let new: Vec<Event> = (5..20).map(|number| check(number, &clock)).collect();
    machine.record_all(new.clone()).await;
    machine.stop().await;
    place.become_again(Some(&copy));
    let machine = Machine::start(&directory, &store, &clock);
    machine.flush().await.unwrap();
    assert_counted(&store, old.iter().chain(&new)).await;
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_expired_is_no_loss() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let (old, new) = with_dropped_rows(&place, &directory, &clock).await;
    clock.advance(DAY * 32);
    let (store, first_day) = (place.open().await, clock.now().day().plus(-30));
    for of in 1..4 {
        store.expire(owner(of), first_day, clock.now(), clock.now()).await.unwrap();
    }
    let machine = Machine::start(&directory, &store, &clock);
    machine.flush().await.unwrap();
    machine.stop().await;
    let (counted, mut incomplete) = report(&store).await;
    incomplete.retain(|&(_, _, day)| day >= first_day);
    assert_eq!((counted, incomplete), (Report::new(), BTreeSet::new()), "{old:?} {new:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_of_a_directory_count_each_row_once() {
    let (place, clock) = (Place::fresh(), Clock::stopped_at(TODAY.start()));
    let original = fresh_directory();
    // Recorded while no store was there.
    let (spool, committer) = Spool::open(&original, limits(), clock.clone()).unwrap();
    let mut events: Vec<Event> = (0..200).map(|number| check(number, &clock)).collect();
    for event in &events {
        assert_eq!(spool.record(event.clone()).await, Recorded::Recorded);
    }
    spool.close().await;
    committer.join().unwrap();
    let copies = [copy_spool(&original), copy_spool(&original), original];

    let store = place.open().await;
    let machines = copies.map(|directory| Machine::start(&directory, &store, &clock));
    for (number, machine) in (1_000..).zip(&machines) {
        machine.record(check(number, &clock)).await;
        events.push(check(number, &clock));
    }
    for flushed in futures_util::future::join_all(machines.iter().map(Machine::flush)).await {
        flushed.unwrap();
    }
    assert_counted(&store, &events).await;
    for machine in machines {
        machine.stop().await;
    }
    assert_counted(&store, &events).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_histories_under_one_id_are_not_mixed() {
    let (place, clock) = (Place::fresh(), Clock::stopped_at(TODAY.start()));
    let (id, other) = (SpoolId([1; 16]), SpoolId([2; 16]));
    let store = place.open().await;
    let (here, there) = (fresh_directory(), fresh_directory());
    let first = [check(1, &clock), check(2, &clock)];
    left_behind(&here, id, &[(0, 1, row_of(vec![first[0].clone()])), (1, 1, row_of(vec![first[1].clone()]))]);
    Machine::start(&here, &store, &clock).stop().await;

    let forked = (0..4).map(|number| (number, 2, row_of(vec![check(10 + number as u32, &clock)])));
    left_behind(&there, id, &forked.collect::<Vec<_>>());
    let beside = [event(1, 20, "1.0.0", clock.now()), event(2, 21, "1.0.0", clock.now())];
    left_behind(&there, other, &[(0, 3, row_of(beside.to_vec()))]);
    let machine = Machine::start(&there, &store, &clock);
    machine.flush().await.unwrap();
    assert_counted(&store, first.iter().chain(&beside)).await;
    clock.advance(DAY * 3);
    machine.stop().await;
    Machine::start(&there, &store, &clock).stop().await;
    assert_eq!(rows_in(&there, id), 4, "an operator has to look at them");
    assert_counted(&store, first.iter().chain(&beside)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_row_is_passed_over_and_its_days_are_incomplete() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let (id, store) = (SpoolId([1; 16]), place.open().await);
    let yesterday = Millis(clock.now().0 - 1);
    let whole = [event(1, 1, "1.0.0", clock.now()), event(2, 1, "1.0.0", clock.now())];
    let lost = vec![event(1, 2, "1.0.0", yesterday), event(1, 3, "1.0.0", yesterday)];
    left_behind(
        &directory,
        id,
        &[(0, 1, row_of(vec![whole[0].clone()])), (1, 1, row_of(lost)), (2, 1, row_of(vec![whole[1].clone()]))],
    );
    let rows = Connection::open(SpoolFile::path_of(&directory, id)).unwrap();
    let mut body: Vec<u8> = rows.query_row("SELECT body FROM row WHERE id = 1", [], |row| row.get(0)).unwrap();
    // In the pseudonym of its last event.
    let at = body.len() - 12;
    body[at] ^= 1;
    rows.execute("UPDATE row SET body = ?1 WHERE id = 1", [body]).unwrap();
    let machine = Machine::start(&directory, &store, &clock);
    machine.flush().await.unwrap();
    machine.stop().await;
    let (counted, incomplete) = report(&store).await;
    assert_eq!(counted, model(&whole));
    assert_eq!(incomplete, BTreeSet::from([(owner(1), app(1), yesterday.day())]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_a_newer_build_waits_for_it() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let (id, store) = (SpoolId([1; 16]), place.open().await);
    let events = [check(1, &clock), check(2, &clock)];
    left_behind(&directory, id, &[(0, 1, row_of(events.to_vec()))]);
    let rows = Connection::open(SpoolFile::path_of(&directory, id)).unwrap();
    let body: Vec<u8> = rows.query_row("SELECT body FROM row", [], |row| row.get(0)).unwrap();
    let mut newer = body[..body.len() - 8].to_vec();
    newer[4] += 1;
    rows.execute("UPDATE row SET body = ?1", [seal(newer)]).unwrap();
    let machine = Machine::start(&directory, &store, &clock);
    machine.record(check(3, &clock)).await;
    // It does not hold up anything else.
    machine.flush().await.unwrap();
    machine.stop().await;
    assert_counted(&store, &[check(3, &clock)]).await;
    rows.execute("UPDATE row SET body = ?1", [body]).unwrap();
    Machine::start(&directory, &store, &clock).stop().await;
    assert_counted(&store, events.iter().chain(&[check(3, &clock)])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_holds_up_nothing() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let store = place.open().await;
    // What a process leaves that dies while it creates a file, and what a broken disk leaves.
    std::fs::write(directory.join(format!("{}.db", SpoolId([0; 16]))), b"").unwrap();
    let garbage = directory.join(format!("{}.db", SpoolId([1; 16])));
    std::fs::write(&garbage, [7; 8192]).unwrap();
    std::fs::write(directory.join("notes.db"), b"somebody's own").unwrap();
    let machine = Machine::start(&directory, &store, &clock);
    machine.record(check(1, &clock)).await;
    machine.flush().await.unwrap();
    assert_counted(&store, &[check(1, &clock)]).await;
    machine.stop().await;
    assert_eq!(std::fs::read(&garbage).unwrap(), [7; 8192], "it is left for an operator");
    assert!(directory.join("notes.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_expired_days_are_dropped() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let store = place.open().await;
    let at = |ago: i64| Millis(clock.now().0 - ago * 86_400_000);
    let shown = [event(1, 1, "1.0.0", at(30)), event(1, 2, "1.0.0", at(0))];
    let late = [event(1, 3, "1.0.0", at(31)), event(2, 4, "1.0.0", at(40))];
    let tally =
        Tally { owner: owner(1), app: app(1), at: at(31), kind: "skipped".into(), value: "disk".into(), count: 1 };
    let mut row = row_of(shown.iter().chain(&late).cloned().collect());
    row.tallies.push(tally);
    left_behind(&directory, SpoolId([1; 16]), &[(0, 1, row)]);
    Machine::start(&directory, &store, &clock).stop().await;
    assert_counted(&store, &shown).await;
    Machine::start(&directory, &store, &clock).stop().await;
    assert_counted(&store, &shown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_owner_with_many_devices_holds_up_nothing() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let store = place.open().await;
    let machine = Machine::start(&directory, &store, &clock);
    machine.record(check(1, &clock)).await;
    machine.flush().await.unwrap();
    store.erase(owner(1), None, clock.now()).await.unwrap();
    for round in 0..3 {
        let crowd = (0..4_000).map(|number| check(10_000 * round + number, &clock)).collect();
        machine.record_all(crowd).await;
        machine.flush().await.unwrap();
    }
    machine.record(event(2, 1, "1.0.0", clock.now())).await;
    machine.flush().await.unwrap();
    assert_counted(&store, &[event(2, 1, "1.0.0", clock.now())]).await;
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_of_segments_follows_the_store() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let store = place.open().await;
    let machine = Machine::start(&directory, &store, &clock);
    // One that keeps everything, one that keeps little and one that keeps nothing.
    let caches = [1 << 20, 2_000, 0].map(cache_of);
    let look = async |cache: &SegmentCache, of| {
        let segments = cache.segments(&store, owner(of), TODAY.plus(-60)..=TODAY.plus(60)).await.unwrap();
        let by_day = segments.seen.into_iter().map(|seen| ((seen.app, seen.day), (seen.version, seen.segment)));
        by_day.collect::<BTreeMap<_, _>>()
    };
    for round in 0..30_u32 {
        let happened = (0..40).map(|number| {
            let at = Millis(clock.now().0 - i64::from(number % 4) * 86_400_000 + i64::from(round));
            event(1 + (number % 2) as u8, round * 10 + number, &format!("1.{}.0", number % 3), at)
        });
        machine.record_all(happened.collect()).await;
        machine.flush().await.unwrap();
        match round % 6 {
            1 => compact(&store).await,
            3 => store.expire(owner(1), TODAY.plus(-((round % 5) as i32)), Millis(0), clock.now()).await.unwrap(),
            5 if round > 20 => store.erase(owner(2), Some(app(2)), clock.now()).await.unwrap(),
            _ => {}
        }
        for of in [1, 2] {
            let expected = look(&cache_of(0), of).await;
            assert!(!expected.is_empty() || (of == 2 && round > 20));
            for cache in &caches {
                assert_eq!(look(cache, of).await, expected, "round {round}");
            }
        }
        clock.advance(Duration::from_millis(1));
    }
    assert!(caches[0].bytes() > 2_000 && caches[1].bytes() <= 2_000 && caches[2].bytes() == 0);
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_new_devices_take_many_steps() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let store = place.open().await;
    let rows: Vec<(u64, u8, Row)> = (0..4_u8)
        .map(|number| {
            let events =
                (0..2_500).map(|device| event(1 + number % 2, u32::from(number) * 2_000 + device, "1", clock.now()));
            (u64::from(number), 1, row_of(events.collect()))
        })
        .collect();
    left_behind(&directory, SpoolId([1; 16]), &rows);
    let copy = copy_spool(&directory);
    let machines = [&directory, &copy].map(|directory| Machine::start(directory, &store, &clock));
    for flushed in futures_util::future::join_all(machines.iter().map(Machine::flush)).await {
        flushed.unwrap();
    }
    assert_counted(&store, rows.iter().flat_map(|(.., row)| &row.events)).await;
    for machine in machines {
        machine.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flush_ends_while_events_go_on_coming() {
    const TASKS: u32 = 16;
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let store = place.open().await;
    let machine = Arc::new(Machine::start(&directory, &store, &clock));
    let stop = CancellationToken::new();
    let load: Vec<_> = (0..TASKS)
        .map(|task| {
            let (machine, clock, stop) = (machine.clone(), clock.clone(), stop.clone());
            tokio::spawn(async move {
                let mut sent = 0;
                while !stop.is_cancelled() {
                    machine.record(check(task << 24 | sent, &clock)).await;
                    sent += 1;
                    // An unoptimised shipper is slower than the committer; here it has to keep up.
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                sent
            })
        })
        .collect();
    for _ in 0..10 {
        // A flush that waits for events that come after it would never end.
        tokio::time::timeout(Duration::from_mins(1), machine.flush()).await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.cancel();
    let mut sent = 0;
    for task in load {
        sent += u64::from(task.await.unwrap());
    }
    machine.flush().await.unwrap();
    let (counted, _) = report(&store).await;
    let total: u64 = counted.values().flat_map(|counted| counted.requests.values()).sum();
    assert_eq!((total, counted.len()), (sent, 1));
    let deltas: u64 = store.heads().await.unwrap().iter().map(|head| head.deltas.0).sum();
    assert!(deltas < 100, "{deltas} deltas for 11 flushes and half a minute at most");
    Arc::into_inner(machine).unwrap().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_is_seen_by_the_next_reader() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let store = place.open().await;
    let machine = Machine::start(&directory, &store, &clock);
    for number in 0..200 {
        machine.record(check(number, &clock)).await;
        if number % 3 == 0 {
            tokio::time::sleep(Duration::from_millis(u64::from(number % 7))).await;
        }
        machine.shipping.flush_recorded().await.unwrap();
        let head = store.heads().await.unwrap()[0];
        let devices = store.dictionary(owner(1), DictionaryState::default()).await.unwrap();
        let known: usize = devices.blocks.iter().map(|block| block.pseudonyms.len()).sum();
        assert_eq!(known, number as usize + 1, "{head:?}");
    }
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn shipped_rows_are_dropped_as_fast_as_they_come() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let (id, store) = (SpoolId([1; 16]), place.open().await);
    let file = SpoolFile::create(&directory, id, TODAY.start(), true).unwrap();
    let rows = Connection::open(SpoolFile::path_of(&directory, id)).unwrap();
    let body = row::encode(&row_of((0..4).map(|number| check(number, &clock)).collect()));
    rows.execute_batch("BEGIN").unwrap();
    for number in 0..30_000 {
        rows.execute("INSERT INTO row (id, tag, body) VALUES (?1, ?2, ?3)", (number, [1; 8], &body)).unwrap();
    }
    rows.execute_batch("COMMIT").unwrap();
    drop((file, rows));
    let path = SpoolFile::path_of(&directory, id);
    let before = path.metadata().unwrap().len();
    assert!(before > 30_000 * body.len() as u64);
    // 2 MiB of shipped rows are kept.
    let limited = Settings { replay_bytes: 2 << 20, ..settings() };
    let machine = Machine::with(&directory, &store, &clock, (limits(), limited));
    machine.flush().await.unwrap();
    machine.stop().await;
    let kept = rows_in(&directory, id) * body.len();
    assert!((1 << 20..=2 << 20).contains(&kept), "{kept} bytes of rows are kept");
    let now = path.metadata().unwrap().len();
    assert!(now < before / 2, "the room is given back: {before} -> {now} bytes");
    let (counted, _) = report(&store).await;
    let total: u64 = counted.values().flat_map(|counted| counted.requests.values()).sum();
    assert_eq!(total, 120_000);
}

/// Holds the file that is written now, as a slow disk would.
fn hold(directory: &Path) -> Connection {
    let path = files(directory).unwrap().pop().unwrap();
    let rows = Connection::open(path).unwrap();
    rows.execute_batch("BEGIN IMMEDIATE").unwrap();
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_does_not_wait_for_a_slow_commit() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let store = place.open().await;
    let waiting = Limits { commit_wait: Duration::from_secs(2), queue_events: 100, ..limits() };
    let machine = Machine::with(&directory, &store, &clock, (waiting, settings()));
    machine.record(check(0, &clock)).await;
    let held = hold(&directory);
    let mut events = vec![check(0, &clock), check(1, &clock)];
    let started = Instant::now();
    assert_eq!(machine.spool.record(check(1, &clock)).await, Recorded::Unconfirmed);
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    // The next ones do not wait at all, or this test would take minutes; until too many do.
    let mut overload = 0;
    for number in 2..200 {
        match machine.spool.record(check(number, &clock)).await {
            Recorded::Unconfirmed => events.push(check(number, &clock)),
            Recorded::Skipped(SkipReason::Overload) => overload += 1,
            other @ (Recorded::Recorded | Recorded::Skipped(_)) => panic!("{other}"),
        }
    }
    assert_eq!((events.len(), overload), (102, 98));
    held.execute_batch("ROLLBACK").unwrap();
    // It recovers by itself.
    let started = Instant::now();
    loop {
        let number = 1_000 + events.len() as u32;
        let fate = machine.spool.record(check(number, &clock)).await;
        if fate != Recorded::Skipped(SkipReason::Overload) {
            events.push(check(number, &clock));
        }
        if fate == Recorded::Recorded {
            break;
        }
        assert!(started.elapsed() < Duration::from_mins(1), "{fate}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    machine.flush().await.unwrap();
    assert_counted(&store, &events).await;
    machine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_fails_is_set_aside_and_counted() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let store = place.open().await;
    let machine = Machine::start(&directory, &store, &clock);
    machine.record(check(0, &clock)).await;
    let path = files(&directory).unwrap().pop().unwrap();
    let rows = Connection::open(&path).unwrap();
    // No row can be added to this file any more.
    rows.execute_batch("CREATE TRIGGER broken BEFORE INSERT ON row BEGIN SELECT RAISE(FAIL, 'broken'); END").unwrap();
    assert_eq!(machine.spool.record(check(1, &clock)).await, Recorded::Unconfirmed);
    let started = Instant::now();
    loop {
        match machine.spool.record(check(2, &clock)).await {
            Recorded::Recorded => break,
            fate @ (Recorded::Unconfirmed | Recorded::Skipped(_)) => {
                assert_eq!(fate, Recorded::Skipped(SkipReason::Disk));
            }
        }
        assert!(started.elapsed() < Duration::from_mins(1), "no new file is opened");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(files(&directory).unwrap().len(), 2);
    machine.flush().await.unwrap();
    assert_counted(&store, &[check(0, &clock), check(2, &clock)]).await;
    machine.stop().await;
    assert!(path.exists(), "its rows may be needed again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_spool_skips_events_and_recovers() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let store = place.open().await;
    let small = Limits { max_bytes: 1 << 20, ..limits() };
    let kept = Settings { replay_bytes: 1 << 16, ..settings() };
    let machine = Machine::with(&directory, &store, &clock, (small, kept));
    let (mut events, mut number) = (Vec::new(), 0);
    let started = Instant::now();
    let mut fill = async |until: Recorded| {
        loop {
            let new: Vec<Event> = (number..number + 500).map(|number| check(number, &clock)).collect();
            number += 500;
            let fates = new.iter().map(|event| machine.spool.record(event.clone()));
            let fates = futures_util::future::join_all(fates).await;
            let recorded = new.into_iter().zip(&fates).filter(|(_, fate)| **fate == Recorded::Recorded);
            events.extend(recorded.map(|(event, _)| event));
            if fates.contains(&until) {
                return;
            }
            assert!(started.elapsed() < Duration::from_mins(2), "{:?}", fates.last());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    fill(Recorded::Skipped(SkipReason::Disk)).await;
    // What is shipped and beyond the replay window makes room.
    fill(Recorded::Recorded).await;
    machine.flush().await.unwrap();
    assert_counted(&store, &events).await;
    machine.stop().await;
}
