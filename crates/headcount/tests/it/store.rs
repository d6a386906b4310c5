//! The contract of `Store`: every place where segments live passes all of it.

mod copy;
mod model;
mod place;
mod server;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use headcount::installation::Installation;
use headcount::store::{
    Applied, BlobAt, Block, Compaction, DictionaryState, Erasure, FORMAT, Rebuild, Step, Store, StoreError, Tombstone,
    Version,
};
use headcount_engine::day::{Day, Millis};
use headcount_engine::device::Pseudonym;
use headcount_engine::format::{seal, unseal};
use headcount_engine::id::{AppId, Id, OwnerId};
use headcount_engine::mark::{Mark, SpoolId};

use self::place::{Kind, Place, Server};

const ACME: OwnerId = OwnerId(Id::from_bytes([1; 12]));
const OTHER: OwnerId = OwnerId(Id::from_bytes([2; 12]));
const ONE: AppId = AppId(Id::from_bytes([11; 12]));
const TWO: AppId = AppId(Id::from_bytes([12; 12]));
const SPOOL: SpoolId = SpoolId([7; 16]);
/// Far ahead: nothing of it goes by itself while a test runs.
const TODAY: Day = Day(40_000);

macro_rules! contract {
    ([$($place:ident: $kind:expr),+ $(,)?] [$($shared:ident: $shared_kind:expr),+ $(,)?] $cases:tt) => {
        $(contract!(@ $place $kind, $cases);)+
        $(contract!(shared $shared $shared_kind, $cases);)+
    };
    // Their servers take long to start: they do it once.
    (shared $place:ident $kind:expr, [$($case:ident),+ $(,)?]) => {
        mod $place {
            use super::{Kind, Place, Server};

            #[test]
            fn it_passes_all_of_the_contract() {
                let server = Server::start($kind);
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                $(
                    println!("{}", stringify!($case));
                    runtime.block_on(super::$case(&Place::on(&server)));
                )+
                super::model::any_history_is_that_of_the_model(|| Place::on(&server));
            }
        }
    };
    (@ $place:ident $kind:expr, [$($case:ident),+ $(,)?]) => {
        mod $place {
            use super::{Kind, Place};

            $(#[tokio::test]
            async fn $case() {
                super::$case(&Place::fresh($kind)).await;
            })+

            #[test]
            fn any_history_is_that_of_the_model() {
                super::model::any_history_is_that_of_the_model(|| Place::fresh($kind));
            }
        }
    };
}

contract!(
    [embedded: Kind::Embedded, redis: Kind::Redis]
    [sentinel: Kind::Sentinel, cluster: Kind::Cluster]
    [
        a_step_follows_the_mark_that_it_names,
        a_mark_of_another_tag_is_another_mark,
        a_step_follows_the_dictionary_that_it_names,
        a_refused_step_leaves_nothing,
        a_step_may_leave_the_mark,
        marks_are_those_of_one_spool,
        the_first_receipt_of_a_row_stays,
        a_dictionary_is_followed_from_any_block,
        a_reader_gets_what_it_lacks,
        a_reader_sees_its_owner_and_days,
        a_reader_notices_that_the_tail_was_lost,
        a_reader_notices_another_rebuild,
        heads_describe_every_segment,
        a_compaction_keeps_what_came_since,
        a_compaction_of_a_changed_segment_is_refused,
        a_rebuild_starts_an_epoch,
        a_rebuild_of_anything_changed_is_refused,
        a_day_expires_whole,
        marks_and_receipts_expire_by_age,
        an_erased_app_does_not_come_back,
        an_erased_owner_does_not_come_back,
        an_erased_device_leaves_a_hole,
        tombstones_expire_by_age,
        a_damaged_blob_is_set_aside,
        reopening_keeps_everything,
        another_installation_is_refused,
    ]
);

fn days() -> std::ops::RangeInclusive<Day> {
    TODAY.plus(-40)..=TODAY.plus(1)
}

/// Milliseconds after the beginning of today.
fn later(millis: i64) -> Millis {
    Millis(TODAY.start().0 + millis)
}

fn mark(row: u64) -> Mark {
    Mark { row, tag: [row as u8; 8] }
}

fn block(id: u8, devices: &[u8]) -> Block {
    Block { id: [id; 8], pseudonyms: devices.iter().map(|&device| Pseudonym([device; 16])).collect() }
}

/// A blob that says which numbers it holds: a segment to the store, a list to the test.
fn blob(numbers: &[u64]) -> Vec<u8> {
    seal(numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
}

fn numbers(bytes: &[u8]) -> Vec<u64> {
    unseal(bytes).unwrap().as_chunks().0.iter().map(|&number| u64::from_le_bytes(number)).collect()
}

/// A step that follows nothing and brings nothing.
fn step() -> Step {
    Step {
        spool: SPOOL,
        expected_mark: None,
        mark: None,
        expected_dictionary: DictionaryState::default(),
        block: None,
        erased: None,
        deltas: Vec::new(),
        incomplete: Vec::new(),
        receipts: Vec::new(),
        at: TODAY.start(),
    }
}

/// The step from one row to the next that brings `number` to an app's day.
fn brings(from: Option<u64>, to: u64, app: AppId, day: Day, number: u64) -> Step {
    let deltas = vec![(app, day, blob(&[number]))];
    Step { expected_mark: from.map(mark), mark: Some(mark(to)), deltas, ..step() }
}

async fn applied(store: &Store, owner: OwnerId, step: Step) {
    assert_eq!(store.apply(owner, step).await.unwrap(), Applied::Yes);
}

/// What somebody has read who reads again and again.
#[derive(Default, Clone, Debug)]
struct Reader {
    known: HashMap<(AppId, Day), Version>,
    held: BTreeMap<(AppId, Day), Vec<u64>>,
    incomplete: BTreeSet<(AppId, Day)>,
}

impl Reader {
    async fn fresh(store: &Store, owner: OwnerId) -> Self {
        let mut reader = Self::default();
        reader.read(store, owner).await;
        reader
    }

    /// Reads what it lacks: how many blobs came.
    async fn read(&mut self, store: &Store, owner: OwnerId) -> usize {
        let view = store.load(owner, days(), self.known.clone()).await.unwrap();
        let (mut came, mut next) = (0, Self::default());
        next.incomplete = view.incomplete.into_iter().collect();
        for segment in view.segments {
            let key = (segment.app, segment.day);
            let mut held = match &segment.base {
                Some(base) => base.pieces.iter().flat_map(|piece| numbers(&piece.bytes)).collect(),
                None => self.held[&key].clone(),
            };
            held.extend(segment.deltas.iter().flat_map(|delta| numbers(&delta.bytes)));
            came += segment.base.map_or(0, |base| base.pieces.len()) + segment.deltas.len();
            next.known.insert(key, segment.version);
            assert_eq!(next.held.insert(key, held), None, "two segments of one app and day");
        }
        *self = next;
        came
    }

    fn compaction(&self, app: AppId, day: Day) -> Compaction {
        let key = (app, day);
        let pieces = self.held[&key].chunks(2).map(blob).collect();
        Compaction { owner: ACME, app, day, from: self.known[&key], pieces, timed: true }
    }

    fn rebuild(&self, expected_dictionary: DictionaryState, blocks: Vec<Block>) -> Rebuild {
        let expected = self.known.iter().map(|(&key, &version)| (key, version)).collect();
        let bases = self.held.iter().map(|(&(app, day), held)| (app, day, vec![blob(held)], false)).collect();
        Rebuild { owner: ACME, expected_dictionary, expected, blocks, bases, at: TODAY.start() }
    }
}

async fn state(store: &Store, owner: OwnerId) -> DictionaryState {
    store.dictionary(owner, DictionaryState::default()).await.unwrap().state
}

async fn a_step_follows_the_mark_that_it_names(place: &Place) {
    let store = place.open().await;
    let refused = store.apply(ACME, brings(Some(3), 4, ONE, TODAY, 1)).await.unwrap();
    assert_eq!(refused, Applied::MarkMoved(None));
    applied(&store, ACME, brings(None, 4, ONE, TODAY, 2)).await;
    // Whoever applies it a second time learns that it is there.
    let again = store.apply(ACME, brings(None, 4, ONE, TODAY, 2)).await.unwrap();
    assert_eq!(again, Applied::MarkMoved(Some(mark(4))));
    applied(&store, ACME, brings(Some(4), 9, ONE, TODAY, 3)).await;
    let late = store.apply(ACME, brings(Some(4), 8, ONE, TODAY, 4)).await.unwrap();
    assert_eq!(late, Applied::MarkMoved(Some(mark(9))));
    assert_eq!(Reader::fresh(&store, ACME).await.held, BTreeMap::from([((ONE, TODAY), vec![2, 3])]));
}

async fn a_mark_of_another_tag_is_another_mark(place: &Place) {
    let store = place.open().await;
    applied(&store, ACME, brings(None, 4, ONE, TODAY, 1)).await;
    let forged = Mark { tag: [99; 8], ..mark(4) };
    let other = Step { expected_mark: Some(forged), ..brings(None, 5, ONE, TODAY, 2) };
    assert_eq!(store.apply(ACME, other).await.unwrap(), Applied::MarkMoved(Some(mark(4))));
    assert_eq!(Reader::fresh(&store, ACME).await.held, BTreeMap::from([((ONE, TODAY), vec![1])]));
}

async fn a_step_follows_the_dictionary_that_it_names(place: &Place) {
    let store = place.open().await;
    applied(&store, ACME, Step { block: Some(block(1, &[1, 2])), ..brings(None, 1, ONE, TODAY, 1) }).await;
    let first = DictionaryState { epoch: 0, last_block: [1; 8] };
    assert_eq!(state(&store, ACME).await, first);
    for wrong in [
        DictionaryState::default(),
        DictionaryState { last_block: [2; 8], ..first },
        DictionaryState { epoch: 1, ..first },
    ] {
        let step = Step { expected_dictionary: wrong, ..brings(Some(1), 2, ONE, TODAY, 2) };
        assert_eq!(store.apply(ACME, step).await.unwrap(), Applied::DictionaryMoved(first));
    }
    let step = Step { expected_dictionary: first, block: Some(block(2, &[3])), ..brings(Some(1), 2, ONE, TODAY, 3) };
    applied(&store, ACME, step).await;
    let tail = store.dictionary(ACME, DictionaryState::default()).await.unwrap();
    assert_eq!(tail.blocks, [block(1, &[1, 2]), block(2, &[3])]);
    assert_eq!(Reader::fresh(&store, ACME).await.held, BTreeMap::from([((ONE, TODAY), vec![1, 3])]));
}

async fn a_refused_step_leaves_nothing(place: &Place) {
    let store = place.open().await;
    applied(&store, ACME, Step { block: Some(block(1, &[1])), ..brings(None, 1, ONE, TODAY, 1) }).await;
    let right = Step {
        expected_dictionary: DictionaryState { epoch: 0, last_block: [1; 8] },
        block: Some(block(2, &[2])),
        incomplete: vec![(ONE, TODAY.plus(-1))],
        receipts: vec![(mark(2), b"accepted".to_vec())],
        ..brings(Some(1), 2, TWO, TODAY, 2)
    };
    for refused in [
        Step { expected_mark: None, ..right.clone() },
        Step { expected_dictionary: DictionaryState::default(), ..right.clone() },
    ] {
        assert_ne!(store.apply(ACME, refused).await.unwrap(), Applied::Yes);
        let reader = Reader::fresh(&store, ACME).await;
        assert_eq!(reader.held, BTreeMap::from([((ONE, TODAY), vec![1])]));
        assert_eq!(reader.incomplete, BTreeSet::new());
        assert_eq!(store.dictionary(ACME, DictionaryState::default()).await.unwrap().blocks, [block(1, &[1])]);
        assert_eq!(store.marks(SPOOL).await.unwrap(), HashMap::from([(ACME, mark(1))]));
        assert_eq!(store.receipt(ACME, SPOOL, 2).await.unwrap(), None);
    }
    applied(&store, ACME, right).await;
    let reader = Reader::fresh(&store, ACME).await;
    assert_eq!(reader.held, BTreeMap::from([((ONE, TODAY), vec![1]), ((TWO, TODAY), vec![2])]));
    assert_eq!(reader.incomplete, BTreeSet::from([(ONE, TODAY.plus(-1))]));
    assert_eq!(store.receipt(ACME, SPOOL, 2).await.unwrap(), Some((mark(2), b"accepted".to_vec())));
}

async fn a_step_may_leave_the_mark(place: &Place) {
    let store = place.open().await;
    applied(&store, ACME, Step { block: Some(block(1, &[1])), ..step() }).await;
    assert_eq!(store.marks(SPOOL).await.unwrap(), HashMap::new());
    applied(&store, ACME, Step { mark: Some(mark(5)), expected_dictionary: state(&store, ACME).await, ..step() }).await;
    let expected_dictionary = state(&store, ACME).await;
    let moved = Step { block: Some(block(2, &[2])), expected_dictionary, ..step() };
    assert_eq!(store.apply(ACME, moved.clone()).await.unwrap(), Applied::MarkMoved(Some(mark(5))));
    applied(&store, ACME, Step { expected_mark: Some(mark(5)), ..moved }).await;
    assert_eq!(store.marks(SPOOL).await.unwrap(), HashMap::from([(ACME, mark(5))]));
}

async fn marks_are_those_of_one_spool(place: &Place) {
    let store = place.open().await;
    let elsewhere = SpoolId([8; 16]);
    applied(&store, ACME, brings(None, 1, ONE, TODAY, 1)).await;
    applied(&store, OTHER, brings(None, 2, ONE, TODAY, 2)).await;
    applied(&store, ACME, Step { spool: elsewhere, ..brings(None, 3, ONE, TODAY, 3) }).await;
    assert_eq!(store.marks(SPOOL).await.unwrap(), HashMap::from([(ACME, mark(1)), (OTHER, mark(2))]));
    assert_eq!(store.marks(elsewhere).await.unwrap(), HashMap::from([(ACME, mark(3))]));
    assert_eq!(store.marks(SpoolId([9; 16])).await.unwrap(), HashMap::new());
}

async fn the_first_receipt_of_a_row_stays(place: &Place) {
    let store = place.open().await;
    let receipt = |row, text: &[u8]| vec![(mark(row), text.to_vec())];
    applied(&store, ACME, Step { receipts: receipt(1, b"first"), ..brings(None, 1, ONE, TODAY, 1) }).await;
    applied(&store, ACME, Step { receipts: receipt(1, b"second"), ..brings(Some(1), 2, ONE, TODAY, 2) }).await;
    assert_eq!(store.receipt(ACME, SPOOL, 1).await.unwrap(), Some((mark(1), b"first".to_vec())));
    assert_eq!(store.receipt(ACME, SPOOL, 2).await.unwrap(), None);
    assert_eq!(store.receipt(OTHER, SPOOL, 1).await.unwrap(), None);
    assert_eq!(store.receipt(ACME, SpoolId([8; 16]), 1).await.unwrap(), None);
}

async fn a_dictionary_is_followed_from_any_block(place: &Place) {
    let store = place.open().await;
    let nothing = store.dictionary(ACME, DictionaryState::default()).await.unwrap();
    assert_eq!((nothing.state, nothing.follows, nothing.blocks), (DictionaryState::default(), true, Vec::new()));
    let blocks = [block(1, &[1, 2]), block(2, &[3]), block(3, &[4, 5])];
    let mut known = vec![DictionaryState::default()];
    for block in &blocks {
        let expected_dictionary = state(&store, ACME).await;
        applied(&store, ACME, Step { expected_dictionary, block: Some(block.clone()), ..step() }).await;
        known.push(state(&store, ACME).await);
    }
    for (at, &known) in known.iter().enumerate() {
        let tail = store.dictionary(ACME, known).await.unwrap();
        assert_eq!((tail.state.last_block, tail.follows, &*tail.blocks), ([3; 8], true, &blocks[at..]));
    }
    // A block that nobody here has, or an epoch that is over: all there is.
    for stranger in [DictionaryState { epoch: 0, last_block: [9; 8] }, DictionaryState { epoch: 7, last_block: [1; 8] }]
    {
        let tail = store.dictionary(ACME, stranger).await.unwrap();
        assert_eq!((tail.follows, &*tail.blocks), (false, &blocks[..]));
    }
    assert_eq!(store.dictionary(OTHER, DictionaryState::default()).await.unwrap().blocks, []);
}

async fn a_reader_gets_what_it_lacks(place: &Place) {
    let store = place.open().await;
    let mut reader = Reader::default();
    assert_eq!(reader.read(&store, ACME).await, 0);
    applied(&store, ACME, brings(None, 1, ONE, TODAY, 1)).await;
    applied(&store, ACME, brings(Some(1), 2, ONE, TODAY, 2)).await;
    assert_eq!(reader.read(&store, ACME).await, 2);
    assert_eq!(reader.read(&store, ACME).await, 0);
    applied(&store, ACME, brings(Some(2), 3, ONE, TODAY, 3)).await;
    applied(&store, ACME, brings(Some(3), 4, TWO, TODAY, 4)).await;
    assert_eq!(reader.read(&store, ACME).await, 2);
    let expected = BTreeMap::from([((ONE, TODAY), vec![1, 2, 3]), ((TWO, TODAY), vec![4])]);
    assert_eq!(reader.held, expected);
    // A new base is read by everybody, with what came since.
    let behind = reader.clone();
    assert!(store.compact(reader.compaction(ONE, TODAY)).await.unwrap());
    applied(&store, ACME, brings(Some(4), 5, ONE, TODAY, 5)).await;
    for mut reader in [reader, behind, Reader::default()] {
        reader.read(&store, ACME).await;
        assert_eq!(reader.held[&(ONE, TODAY)], [1, 2, 3, 5]);
        assert_eq!(reader.read(&store, ACME).await, 0);
    }
}

async fn a_reader_sees_its_owner_and_days(place: &Place) {
    let store = place.open().await;
    for (row, ago) in [(1, 3), (2, 2), (3, 1), (4, 0)] {
        let from = (row > 1).then(|| row - 1);
        let step = brings(from, row, ONE, TODAY.plus(-ago), row);
        applied(&store, ACME, Step { incomplete: vec![(TWO, TODAY.plus(-ago))], ..step }).await;
    }
    let view = store.load(ACME, TODAY.plus(-2)..=TODAY.plus(-1), HashMap::new()).await.unwrap();
    let seen: Vec<Day> = view.segments.iter().map(|segment| segment.day).collect();
    assert_eq!(seen, [TODAY.plus(-2), TODAY.plus(-1)]);
    let incomplete: BTreeSet<_> = view.incomplete.into_iter().collect();
    assert_eq!(incomplete, BTreeSet::from([(TWO, TODAY.plus(-2)), (TWO, TODAY.plus(-1))]));
    let reader = Reader::fresh(&store, OTHER).await;
    assert_eq!((reader.held, reader.incomplete), (BTreeMap::new(), BTreeSet::new()));
    assert_eq!(store.owners().await.unwrap(), [ACME]);
}

async fn a_reader_notices_that_the_tail_was_lost(place: &Place) {
    let store = place.open().await;
    applied(&store, ACME, brings(None, 1, ONE, TODAY, 1)).await;
    drop(store);
    let copy = place.copy();
    let store = place.open().await;
    applied(&store, ACME, brings(Some(1), 2, ONE, TODAY, 2)).await;
    let mut reader = Reader::fresh(&store, ACME).await;
    assert_eq!(reader.held[&(ONE, TODAY)], [1, 2]);
    let lost = reader.compaction(ONE, TODAY);
    drop(store);

    place.go_back(&copy);
    let store = place.open().await;
    // The same numbers for something else.
    applied(&store, ACME, brings(Some(1), 3, ONE, TODAY, 3)).await;
    let mut later = reader.clone();
    assert_eq!(reader.read(&store, ACME).await, 2);
    assert_eq!(reader.held[&(ONE, TODAY)], [1, 3]);
    assert!(!store.compact(lost.clone()).await.unwrap(), "it holds what is lost");
    applied(&store, ACME, brings(Some(3), 4, ONE, TODAY, 4)).await;
    assert_eq!(later.read(&store, ACME).await, 3);
    assert_eq!(later.held[&(ONE, TODAY)], [1, 3, 4]);
    assert!(!store.compact(lost).await.unwrap(), "it holds what is lost");
    assert_eq!(reader.read(&store, ACME).await, 1);
    assert!(store.compact(reader.compaction(ONE, TODAY)).await.unwrap());
    assert_eq!(Reader::fresh(&store, ACME).await.held[&(ONE, TODAY)], [1, 3, 4]);
}

async fn a_reader_notices_another_rebuild(place: &Place) {
    let store = place.open().await;
    applied(&store, ACME, Step { block: Some(block(1, &[1, 2, 3])), ..brings(None, 1, ONE, TODAY, 1) }).await;
    let old = state(&store, ACME).await;
    let before = Reader::fresh(&store, ACME).await;
    drop(store);
    let copy = place.copy();
    let store = place.open().await;
    assert!(store.rebuild(before.rebuild(old, vec![block(2, &[2])])).await.unwrap());
    let mut reader = Reader::fresh(&store, ACME).await;
    drop(store);

    place.go_back(&copy);
    let store = place.open().await;
    assert!(store.rebuild(before.rebuild(old, vec![block(3, &[3])])).await.unwrap());
    assert_eq!(reader.read(&store, ACME).await, 1, "these ordinals are of other devices");
}

async fn heads_describe_every_segment(place: &Place) {
    let store = place.open().await;
    assert_eq!(store.heads().await.unwrap(), []);
    applied(&store, ACME, brings(None, 1, ONE, TODAY, 1)).await;
    applied(&store, ACME, Step { at: later(7), ..brings(Some(1), 2, ONE, TODAY, 2) }).await;
    applied(&store, OTHER, brings(None, 1, TWO, TODAY.plus(-1), 3)).await;
    let mut reader = Reader::fresh(&store, ACME).await;
    let heads = store.heads().await.unwrap();
    let [head] = heads.iter().filter(|head| head.owner == ACME).collect::<Vec<_>>()[..] else { panic!("{heads:?}") };
    assert_eq!((head.app, head.day, head.version), (ONE, TODAY, reader.known[&(ONE, TODAY)]));
    let delta = blob(&[1]).len() as u64;
    assert_eq!((head.deltas, head.base_bytes, head.timed), ((2, 2 * delta), 0, true));
    assert_eq!(head.changed_at, later(7));
    assert_eq!(heads.len(), 2);

    assert!(store.compact(Compaction { timed: false, ..reader.compaction(ONE, TODAY) }).await.unwrap());
    reader.read(&store, ACME).await;
    let heads = store.heads().await.unwrap();
    let head = heads.iter().find(|head| head.owner == ACME).unwrap();
    assert_eq!((head.version, head.deltas), (reader.known[&(ONE, TODAY)], (0, 0)));
    assert_eq!((head.base_bytes, head.timed), (blob(&[1, 2]).len() as u64, false));
}

async fn a_compaction_keeps_what_came_since(place: &Place) {
    let store = place.open().await;
    applied(&store, ACME, brings(None, 1, ONE, TODAY, 1)).await;
    applied(&store, ACME, brings(Some(1), 2, ONE, TODAY, 2)).await;
    let reader = Reader::fresh(&store, ACME).await;
    applied(&store, ACME, brings(Some(2), 3, ONE, TODAY, 3)).await;
    assert!(store.compact(reader.compaction(ONE, TODAY)).await.unwrap());
    let reader = Reader::fresh(&store, ACME).await;
    assert_eq!(reader.held[&(ONE, TODAY)], [1, 2, 3]);
    assert_eq!(store.heads().await.unwrap()[0].deltas.0, 1);
    // Again, down to no delta, and on.
    assert!(store.compact(reader.compaction(ONE, TODAY)).await.unwrap());
    applied(&store, ACME, brings(Some(3), 4, ONE, TODAY, 4)).await;
    assert_eq!(Reader::fresh(&store, ACME).await.held[&(ONE, TODAY)], [1, 2, 3, 4]);
}

async fn a_compaction_of_a_changed_segment_is_refused(place: &Place) {
    let store = place.open().await;
    let nothing = Compaction {
        owner: ACME,
        app: ONE,
        day: TODAY,
        from: Version::default(),
        pieces: vec![blob(&[1])],
        timed: true,
    };
    assert!(!store.compact(nothing).await.unwrap());
    applied(&store, ACME, brings(None, 1, ONE, TODAY, 1)).await;
    let first = Reader::fresh(&store, ACME).await.compaction(ONE, TODAY);
    let from = first.from;
    for wrong in [
        Version { epoch: from.epoch + 1, ..from },
        Version { generation: from.generation + 1, ..from },
        Version { sequence: from.sequence + 1, ..from },
        Version { tag: [9; 8], ..from },
    ] {
        assert!(!store.compact(Compaction { from: wrong, ..first.clone() }).await.unwrap(), "{wrong:?}");
    }
    assert!(!store.compact(Compaction { owner: OTHER, ..first.clone() }).await.unwrap());
    assert!(store.compact(first.clone()).await.unwrap());
    assert!(!store.compact(first).await.unwrap(), "somebody else compacted it first");
    assert_eq!(Reader::fresh(&store, ACME).await.held, BTreeMap::from([((ONE, TODAY), vec![1])]));
}

async fn a_rebuild_starts_an_epoch(place: &Place) {
    let store = place.open().await;
    applied(&store, ACME, Step { block: Some(block(1, &[1, 2, 3])), ..brings(None, 1, ONE, TODAY, 1) }).await;
    let old = state(&store, ACME).await;
    applied(&store, ACME, Step { expected_dictionary: old, ..brings(Some(1), 2, TWO, TODAY, 2) }).await;
    let mut reader = Reader::fresh(&store, ACME).await;
    assert!(store.rebuild(reader.rebuild(old, vec![block(2, &[2])])).await.unwrap());
    let new = state(&store, ACME).await;
    assert_eq!(new, DictionaryState { epoch: old.epoch + 1, last_block: [2; 8] });
    let tail = store.dictionary(ACME, old).await.unwrap();
    assert_eq!((tail.follows, &*tail.blocks), (false, &[block(2, &[2])][..]));
    // Nobody mixes ordinals of two epochs.
    let late = Step { expected_dictionary: old, ..brings(Some(2), 3, ONE, TODAY, 3) };
    assert_eq!(store.apply(ACME, late).await.unwrap(), Applied::DictionaryMoved(new));
    assert_eq!(reader.read(&store, ACME).await, 2);
    applied(&store, ACME, Step { expected_dictionary: new, ..brings(Some(2), 3, ONE, TODAY, 3) }).await;
    assert_eq!(reader.read(&store, ACME).await, 1);
    assert_eq!(reader.held, BTreeMap::from([((ONE, TODAY), vec![1, 3]), ((TWO, TODAY), vec![2])]));
    assert_eq!(store.marks(SPOOL).await.unwrap(), HashMap::from([(ACME, mark(3))]));
}

async fn a_rebuild_of_anything_changed_is_refused(place: &Place) {
    let store = place.open().await;
    applied(&store, ACME, Step { block: Some(block(1, &[1])), ..brings(None, 1, ONE, TODAY, 1) }).await;
    let old = state(&store, ACME).await;
    let before = Reader::fresh(&store, ACME).await.rebuild(old, vec![block(9, &[1])]);
    applied(&store, ACME, Step { expected_dictionary: old, ..brings(Some(1), 2, ONE, TODAY, 2) }).await;
    assert!(!store.rebuild(before).await.unwrap(), "a delta came");
    let before = Reader::fresh(&store, ACME).await.rebuild(old, vec![block(9, &[1])]);
    applied(&store, ACME, Step { expected_dictionary: old, ..brings(Some(2), 3, TWO, TODAY, 3) }).await;
    assert!(!store.rebuild(before).await.unwrap(), "a segment came");
    let before = Reader::fresh(&store, ACME).await.rebuild(old, vec![block(9, &[1])]);
    let step = Step { expected_dictionary: old, block: Some(block(2, &[2])), expected_mark: Some(mark(3)), ..step() };
    applied(&store, ACME, step).await;
    assert!(!store.rebuild(before).await.unwrap(), "a device came");
    let reader = Reader::fresh(&store, ACME).await;
    let before = reader.rebuild(state(&store, ACME).await, vec![block(9, &[1])]);
    assert!(store.compact(reader.compaction(ONE, TODAY)).await.unwrap());
    assert!(!store.rebuild(before).await.unwrap(), "a base came");
    let before = Reader::fresh(&store, ACME).await.rebuild(state(&store, ACME).await, vec![block(9, &[1])]);
    store.erase(ACME, Some(TWO), TODAY.start()).await.unwrap();
    assert!(!store.rebuild(before).await.unwrap(), "a segment went");
    let reader = Reader::fresh(&store, ACME).await;
    assert_eq!(reader.held, BTreeMap::from([((ONE, TODAY), vec![1, 2])]));
    assert!(store.rebuild(reader.rebuild(state(&store, ACME).await, vec![])).await.unwrap());
    assert_eq!(state(&store, ACME).await, DictionaryState { epoch: old.epoch + 1, last_block: [0; 8] });
}

async fn a_day_expires_whole(place: &Place) {
    let store = place.open().await;
    for (row, (app, ago)) in [(ONE, 2), (TWO, 2), (ONE, 1), (ONE, 0)].into_iter().enumerate() {
        let (row, day) = (row as u64 + 1, TODAY.plus(-ago));
        let step = brings((row > 1).then(|| row - 1), row, app, day, row);
        applied(&store, ACME, Step { incomplete: vec![(app, day)], ..step }).await;
    }
    applied(&store, OTHER, brings(None, 1, ONE, TODAY.plus(-2), 9)).await;
    let mut reader = Reader::fresh(&store, ACME).await;
    assert!(store.compact(reader.compaction(ONE, TODAY.plus(-2))).await.unwrap());
    store.expire(ACME, TODAY.plus(-1), later(0), later(10)).await.unwrap();
    reader.read(&store, ACME).await;
    let kept = BTreeMap::from([((ONE, TODAY.plus(-1)), vec![3]), ((ONE, TODAY), vec![4])]);
    assert_eq!(reader.held, kept);
    // Where the day is asked for at all, it is known to lack something.
    let expired = [(ONE, TODAY.plus(-2)), (TWO, TODAY.plus(-2))];
    assert_eq!(reader.incomplete, kept.into_keys().chain(expired).collect());
    assert_eq!(Reader::fresh(&store, OTHER).await.held, BTreeMap::from([((ONE, TODAY.plus(-2)), vec![9])]));
    assert_eq!(store.marks(SPOOL).await.unwrap()[&ACME], mark(4));
    // A clock that went back does not bring it back; a longer retention may fill it again.
    applied(&store, ACME, Step { at: later(9), ..brings(Some(4), 5, ONE, TODAY.plus(-2), 5) }).await;
    applied(&store, ACME, Step { at: later(9), ..brings(Some(5), 6, ONE, TODAY.plus(-3), 6) }).await;
    let old = |reader: &Reader| reader.held.get(&(ONE, TODAY.plus(-2))).cloned();
    assert_eq!(old(&Reader::fresh(&store, ACME).await), None);
    applied(&store, ACME, Step { at: later(10), ..brings(Some(6), 7, ONE, TODAY.plus(-2), 7) }).await;
    let reader = Reader::fresh(&store, ACME).await;
    assert_eq!(old(&reader), Some(vec![7]));
    assert_eq!(reader.held[&(ONE, TODAY.plus(-3))], [6]);
    assert!(reader.incomplete.contains(&(ONE, TODAY.plus(-2))));
}

async fn marks_and_receipts_expire_by_age(place: &Place) {
    let store = place.open().await;
    let other = SpoolId([8; 16]);
    let receipts = vec![(mark(1), b"old".to_vec())];
    applied(&store, ACME, Step { receipts, at: later(100), ..brings(None, 1, ONE, TODAY, 1) }).await;
    let receipts = vec![(mark(1), b"new".to_vec())];
    applied(&store, ACME, Step { spool: other, receipts, at: later(200), ..brings(None, 1, ONE, TODAY, 2) }).await;
    applied(&store, OTHER, Step { at: later(100), ..brings(None, 1, ONE, TODAY, 3) }).await;
    store.expire(ACME, TODAY, later(100), later(300)).await.unwrap();
    assert_eq!(store.marks(SPOOL).await.unwrap().len(), 2);
    store.expire(ACME, TODAY, later(200), later(300)).await.unwrap();
    assert_eq!(store.marks(SPOOL).await.unwrap(), HashMap::from([(OTHER, mark(1))]));
    assert_eq!(store.receipt(ACME, SPOOL, 1).await.unwrap(), None);
    assert_eq!(store.marks(other).await.unwrap(), HashMap::from([(ACME, mark(1))]));
    assert_eq!(store.receipt(ACME, other, 1).await.unwrap(), Some((mark(1), b"new".to_vec())));
}

async fn an_erased_app_does_not_come_back(place: &Place) {
    let store = place.open().await;
    applied(&store, ACME, Step { incomplete: vec![(ONE, TODAY)], ..brings(None, 1, ONE, TODAY, 1) }).await;
    applied(&store, ACME, brings(Some(1), 2, TWO, TODAY, 2)).await;
    store.erase(ACME, Some(ONE), later(500)).await.unwrap();
    let reader = Reader::fresh(&store, ACME).await;
    assert_eq!((reader.held, reader.incomplete), (BTreeMap::from([((TWO, TODAY), vec![2])]), BTreeSet::new()));
    // What still comes from a spool: the other app's part of a step arrives, the erased one's does not.
    let both = Step {
        deltas: vec![(ONE, TODAY, blob(&[3])), (TWO, TODAY, blob(&[4])), (ONE, TODAY.plus(-1), blob(&[5]))],
        incomplete: vec![(ONE, TODAY), (TWO, TODAY)],
        ..brings(Some(2), 3, ONE, TODAY, 0)
    };
    applied(&store, ACME, both).await;
    let reader = Reader::fresh(&store, ACME).await;
    assert_eq!(reader.held, BTreeMap::from([((TWO, TODAY), vec![2, 4])]));
    assert_eq!(reader.incomplete, BTreeSet::from([(TWO, TODAY)]));
    assert_eq!(store.marks(SPOOL).await.unwrap(), HashMap::from([(ACME, mark(3))]));
    // Another owner's app is another app, whatever its id.
    applied(&store, OTHER, brings(None, 1, ONE, TODAY, 6)).await;
    assert_eq!(Reader::fresh(&store, OTHER).await.held, BTreeMap::from([((ONE, TODAY), vec![6])]));
}

async fn an_erased_owner_does_not_come_back(place: &Place) {
    let store = place.open().await;
    let receipts = vec![(mark(1), b"accepted".to_vec())];
    let first = Step { block: Some(block(1, &[1])), receipts, ..brings(None, 1, ONE, TODAY, 1) };
    applied(&store, ACME, first).await;
    applied(&store, OTHER, brings(None, 1, ONE, TODAY, 2)).await;
    store.erase(ACME, None, later(500)).await.unwrap();
    // Its rows are passed over once and for all: the steps succeed, with every block that they need.
    let late = |from, to, id| Step {
        block: Some(block(id, &[id])),
        incomplete: vec![(ONE, TODAY)],
        receipts: vec![(mark(to), b"late".to_vec())],
        ..brings(from, to, ONE, TODAY, 3)
    };
    applied(&store, ACME, late(Some(1), 2, 2)).await;
    let next = Step { expected_dictionary: DictionaryState { epoch: 0, last_block: [2; 8] }, ..late(Some(2), 3, 3) };
    applied(&store, ACME, next).await;
    assert_eq!(store.apply(ACME, late(Some(1), 4, 4)).await.unwrap(), Applied::MarkMoved(Some(mark(3))));
    let reader = Reader::fresh(&store, ACME).await;
    assert_eq!((reader.held, reader.incomplete), (BTreeMap::new(), BTreeSet::new()));
    let dictionary = store.dictionary(ACME, DictionaryState::default()).await.unwrap();
    assert_eq!((dictionary.state, dictionary.blocks), (DictionaryState::default(), Vec::new()));
    for row in 1..=3 {
        assert_eq!(store.receipt(ACME, SPOOL, row).await.unwrap(), None);
    }
    assert_eq!(store.marks(SPOOL).await.unwrap(), HashMap::from([(ACME, mark(3)), (OTHER, mark(1))]));
    assert_eq!(Reader::fresh(&store, OTHER).await.held, BTreeMap::from([((ONE, TODAY), vec![2])]));
    // The memory of it goes with the last mark that could bring it back.
    store.expire(ACME, TODAY, Millis(i64::MAX), later(600)).await.unwrap();
    assert_eq!(store.owners().await.unwrap(), [OTHER]);
}

/// The step that erases a device, as of that moment.
fn erases(expected_dictionary: DictionaryState, device: u8, replaced: Vec<(u64, Block)>, at: Millis) -> Step {
    let erased = Some(Erasure { device: Pseudonym([device; 16]), replaced });
    let block = Some(Block { id: [90 + device; 8], ..Block::hole() });
    Step { expected_dictionary, block, erased, ..Step::of_no_spool(at) }
}

async fn an_erased_device_leaves_a_hole(place: &Place) {
    let store = place.open().await;
    applied(&store, ACME, Step { block: Some(block(1, &[1, 2])), ..brings(None, 1, ONE, TODAY, 1) }).await;
    let expected_dictionary = state(&store, ACME).await;
    let second = Step { block: Some(block(2, &[3])), expected_dictionary, ..brings(Some(1), 2, ONE, TODAY, 2) };
    applied(&store, ACME, second).await;
    let before = state(&store, ACME).await;
    let with_hole = Block { id: [1; 8], pseudonyms: vec![Pseudonym([1; 16]), Pseudonym::HOLE] };
    let erasing = erases(before, 2, vec![(0, with_hole.clone())], later(5));
    // Made for another dictionary it does nothing.
    let moved =
        store.apply(ACME, erases(expected_dictionary, 2, vec![(0, with_hole.clone())], later(4))).await.unwrap();
    assert_eq!(moved, Applied::DictionaryMoved(before));
    assert_eq!(store.dictionary(ACME, before).await.unwrap().erased, []);
    applied(&store, ACME, erasing).await;

    let tombstone = Tombstone { device: Pseudonym([2; 16]), at: later(5), block: [92; 8] };
    let hole = Block { id: [92; 8], ..Block::hole() };
    let now = DictionaryState { epoch: 0, last_block: [92; 8] };
    // Who knew the dictionary hears of the hole; who did not reads it in its place. Nobody else goes on as before.
    let followed = store.dictionary(ACME, before).await.unwrap();
    assert_eq!((followed.state, followed.follows, &followed.blocks), (now, true, &vec![hole.clone()]));
    assert_eq!(followed.erased, [tombstone]);
    let whole = store.dictionary(ACME, DictionaryState::default()).await.unwrap();
    assert_eq!(whole.blocks, [with_hole, block(2, &[3]), hole]);
    assert_eq!(whole.erased, [tombstone]);
    let late = Step { expected_dictionary: before, ..brings(Some(2), 3, ONE, TODAY, 3) };
    assert_eq!(store.apply(ACME, late).await.unwrap(), Applied::DictionaryMoved(now));
    assert_eq!(Reader::fresh(&store, ACME).await.held, BTreeMap::from([((ONE, TODAY), vec![1, 2])]));

    // An owner of whom there is nothing may have it in a spool that is still to be shipped.
    applied(&store, OTHER, erases(DictionaryState::default(), 4, Vec::new(), later(6))).await;
    let tombstone = Tombstone { device: Pseudonym([4; 16]), at: later(6), block: [94; 8] };
    assert_eq!(store.dictionary(OTHER, DictionaryState::default()).await.unwrap().erased, [tombstone]);
    assert_eq!(store.kept(OTHER).await.unwrap().tombstones, [tombstone]);
    store.erase(OTHER, None, later(7)).await.unwrap();
    assert_eq!(store.kept(OTHER).await.unwrap().tombstones, []);
    assert_eq!(store.kept(ACME).await.unwrap().tombstones.len(), 1);
}

async fn tombstones_expire_by_age(place: &Place) {
    let store = place.open().await;
    applied(&store, ACME, erases(DictionaryState::default(), 1, Vec::new(), later(10))).await;
    applied(&store, ACME, erases(state(&store, ACME).await, 2, Vec::new(), later(20))).await;
    // Erased again, it is erased as of the later moment.
    applied(&store, ACME, erases(state(&store, ACME).await, 1, Vec::new(), later(30))).await;
    let tombstones = async |before: i64| -> Vec<(u8, Millis)> {
        store.expire(ACME, TODAY.plus(-30), later(before), later(40)).await.unwrap();
        let kept = store.kept(ACME).await.unwrap().tombstones;
        kept.iter().map(|tombstone| (tombstone.device.0[0], tombstone.at)).collect()
    };
    assert_eq!(tombstones(20).await, [(1, later(30)), (2, later(20))]);
    assert_eq!(tombstones(21).await, [(1, later(30))]);
    assert_eq!(tombstones(31).await, []);
}

async fn a_damaged_blob_is_set_aside(place: &Place) {
    let store = place.open().await;
    for row in 1..=3 {
        applied(&store, ACME, brings((row > 1).then(|| row - 1), row, ONE, TODAY, row)).await;
    }
    let reader = Reader::fresh(&store, ACME).await;
    assert!(store.compact(reader.compaction(ONE, TODAY)).await.unwrap());
    applied(&store, ACME, brings(Some(3), 4, ONE, TODAY, 4)).await;
    applied(&store, ACME, brings(Some(4), 5, ONE, TODAY, 5)).await;
    let view = store.load(ACME, days(), HashMap::new()).await.unwrap();
    let names = |segment: &headcount::store::Loaded| -> Vec<BlobAt> {
        let pieces = segment.base.iter().flat_map(|base| &base.pieces);
        pieces.chain(&segment.deltas).map(|blob| blob.at).collect()
    };
    let [first_piece, second_piece, first_delta, second_delta] = names(&view.segments[0])[..] else {
        panic!("{view:?}")
    };
    store.set_aside(ACME, ONE, TODAY, first_delta).await.unwrap();
    store.set_aside(ACME, ONE, TODAY, second_piece).await.unwrap();
    // Once is enough; a second reader may have seen the same.
    store.set_aside(ACME, ONE, TODAY, second_piece).await.unwrap();
    let view = store.load(ACME, days(), HashMap::new()).await.unwrap();
    assert_eq!(names(&view.segments[0]), [first_piece, second_delta]);
    assert_eq!(view.incomplete, [(ONE, TODAY)]);
    applied(&store, ACME, brings(Some(5), 6, ONE, TODAY, 6)).await;
    assert_eq!(Reader::fresh(&store, ACME).await.held[&(ONE, TODAY)], [1, 2, 5, 6]);
}

async fn reopening_keeps_everything(place: &Place) {
    let store = place.open().await;
    let first = Step {
        block: Some(block(1, &[1, 2])),
        incomplete: vec![(TWO, TODAY)],
        receipts: vec![(mark(1), b"accepted".to_vec())],
        ..brings(None, 1, ONE, TODAY, 1)
    };
    applied(&store, ACME, first).await;
    let reader = Reader::fresh(&store, ACME).await;
    assert!(store.compact(reader.compaction(ONE, TODAY)).await.unwrap());
    let expected_dictionary = state(&store, ACME).await;
    applied(&store, ACME, Step { expected_dictionary, ..brings(Some(1), 2, ONE, TODAY, 2) }).await;
    store.erase(ACME, Some(TWO), later(500)).await.unwrap();
    let (heads, reader) = (store.heads().await.unwrap(), Reader::fresh(&store, ACME).await);
    drop(store);

    let store = place.open().await;
    assert_eq!(store.heads().await.unwrap(), heads);
    let mut again = reader.clone();
    assert_eq!(again.read(&store, ACME).await, 0);
    assert_eq!(Reader::fresh(&store, ACME).await.held, reader.held);
    assert_eq!(state(&store, ACME).await, expected_dictionary);
    assert_eq!(store.marks(SPOOL).await.unwrap(), HashMap::from([(ACME, mark(2))]));
    assert_eq!(store.receipt(ACME, SPOOL, 1).await.unwrap(), Some((mark(1), b"accepted".to_vec())));
    applied(&store, ACME, Step { expected_dictionary, ..brings(Some(2), 3, TWO, TODAY, 3) }).await;
    assert_eq!(Reader::fresh(&store, ACME).await.held, reader.held);
}

async fn another_installation_is_refused(place: &Place) {
    let store = place.open().await;
    applied(&store, ACME, brings(None, 1, ONE, TODAY, 1)).await;
    drop(store);
    let own = &place.installation;
    for other in
        [Installation { id: Id::from_bytes([9; 12]), ..own.clone() }, Installation { secret: [9; 32], ..own.clone() }]
    {
        let refused = place.open_as(&other).await.unwrap_err();
        assert!(matches!(refused, StoreError::Foreign { .. }), "{refused}");
        assert!(refused.to_string().contains(&own.id.to_string()), "{refused}");
    }
    assert_eq!(Reader::fresh(&place.open().await, ACME).await.held, BTreeMap::from([((ONE, TODAY), vec![1])]));
}

/// The embedded store's own way to say which build wrote it.
#[tokio::test]
async fn a_newer_embedded_store_is_refused_and_left_alone() {
    let place = Place::fresh(Kind::Embedded);
    drop(place.open().await);
    let path = place.directory.join("store.db");
    let rows = rusqlite::Connection::open(&path).unwrap();
    rows.execute_batch("UPDATE installation SET format = format + 1; DROP TABLE receipt;").unwrap();
    let refused = place.open_as(&place.installation).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("the store at {} has format {}; this build reads up to {FORMAT}", path.display(), FORMAT + 1)
    );
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'receipt'";
    assert_eq!(rows.query_row(tables, [], |row| row.get(0)), Ok(0), "a newer build may have dropped it");
}
