//! Copies of stores: from each kind of place to the other, broken off anywhere.

use std::collections::{BTreeMap, HashMap};

use headcount::retention::Retention;
use headcount::store::cache::merge_loaded;
use headcount::store::copy::{Copied, Copy, CopyError};
use headcount::store::{Block, DictionaryState, Kept, Step, Store, StoreError, pieces};
use headcount_engine::day::{Day, Millis};
use headcount_engine::dimension::{Dimension, Value};
use headcount_engine::event::Values;
use headcount_engine::format::{encode, seal};
use headcount_engine::id::{AppId, Id, OwnerId};
use headcount_engine::mark::{Mark, SpoolId};
use headcount_engine::segment::{Fold, Segment};
use tokio::sync::Notify;

use super::{ACME, Kind, ONE, OTHER, Place, SPOOL, TODAY, TWO, applied, block, erases, later, mark, state, step};

const GONE: OwnerId = OwnerId(Id::from_bytes([3; 12]));
const ERASED: AppId = AppId(Id::from_bytes([13; 12]));
const IMPORT: SpoolId = SpoolId([8; 16]);

fn segment(day: Day, number: u32) -> Segment {
    let mut fold = Fold::default();
    let mut values = Values::default();
    values[Dimension::Version] = Some(Value::new(&format!("1.{number}")));
    fold.record(number % 5, Millis(day.start().0 + i64::from(number)), &values);
    fold.tally("kind", &format!("value-{number}"), u64::from(number));
    fold.finish()
}

/// A step that follows whatever there is.
async fn next(store: &Store, owner: OwnerId, spool: SpoolId) -> Step {
    let expected_mark = store.marks(spool).await.unwrap().get(&owner).copied();
    Step { spool, expected_mark, expected_dictionary: state(store, owner).await, ..step() }
}

async fn brings(store: &Store, owner: OwnerId, segments: &[(AppId, Day, u32)], row: u64) {
    let deltas = segments.iter().map(|&(app, day, number)| (app, day, seal(encode(&segment(day, number))))).collect();
    let step = Step { mark: Some(mark(row)), deltas, at: later(row as i64), ..next(store, owner, SPOOL).await };
    applied(store, owner, step).await;
}

async fn compact(store: &Store, owner: OwnerId, app: AppId, day: Day, drop_times: bool) {
    let view = store.load(owner, day..=day, HashMap::new()).await.unwrap();
    let loaded = view.segments.into_iter().find(|loaded| loaded.app == app).unwrap();
    let (from, (seen, _)) = (loaded.version, merge_loaded(loaded));
    let mut segment = (*seen.segment).clone();
    if drop_times {
        segment.drop_times();
    }
    let pieces = pieces(&segment);
    let compaction = headcount::store::Compaction { owner, app, day, from, pieces, timed: segment.has_times() };
    assert!(store.compact(compaction).await.unwrap());
}

/// Everything that a store can hold.
async fn fill(store: &Store) {
    for owner in [ACME, OTHER] {
        for (id, devices) in [(1, vec![1, 2]), (2, vec![3, 4, 5])] {
            let block = Some(block(id, &devices));
            applied(store, owner, Step { block, at: later(-86_400_000), ..next(store, owner, SPOOL).await }).await;
        }
        let mut row = 0;
        for ago in 0..6 {
            for number in 1..4 {
                row += 1;
                let segments: Vec<_> = [ONE, TWO, ERASED].map(|app| (app, TODAY.plus(-ago), number)).to_vec();
                brings(store, owner, &segments, row).await;
            }
            match ago {
                // A base with a delta behind it, a base alone, one without times.
                1 => {
                    compact(store, owner, ONE, TODAY.plus(-1), false).await;
                    row += 1;
                    brings(store, owner, &[(ONE, TODAY.plus(-1), 9)], row).await;
                }
                2 => compact(store, owner, ONE, TODAY.plus(-2), false).await,
                3 => compact(store, owner, ONE, TODAY.plus(-3), true).await,
                _ => {}
            }
        }
        store.expire(owner, TODAY.plus(-4), later(-1000), later(-5)).await.unwrap();
        for (row, answer) in [(3, "accepted 3"), (7, "accepted:7")] {
            let mark = Mark { row, tag: [row as u8; 8] };
            let receipts = vec![(mark, answer.as_bytes().to_vec())];
            let incomplete = vec![(TWO, TODAY.plus(-2))];
            let step = Step { mark: Some(mark), receipts, incomplete, ..next(store, owner, IMPORT).await };
            applied(store, owner, Step { at: later(row as i64 * 1000), ..step }).await;
        }
        store.erase(owner, Some(ERASED), later(70)).await.unwrap();
        applied(store, owner, erases(state(store, owner).await, 9, Vec::new(), later(75))).await;
    }
    brings(store, GONE, &[(ONE, TODAY, 1)], 1).await;
    store.erase(GONE, None, later(80)).await.unwrap();
}

/// What readers and shippers find of an owner.
#[derive(Debug, PartialEq)]
struct Found {
    kept: Kept,
    blocks: Vec<Block>,
    since: Millis,
    segments: BTreeMap<(AppId, Day), Segment>,
    incomplete: Vec<(AppId, Day)>,
}

async fn found(store: &Store) -> BTreeMap<OwnerId, Found> {
    let mut all = BTreeMap::new();
    for owner in store.owners().await.unwrap() {
        let tail = store.dictionary(owner, DictionaryState::default()).await.unwrap();
        let view = store.load(owner, TODAY.plus(-40)..=TODAY.plus(1), HashMap::new()).await.unwrap();
        let mut incomplete = view.incomplete;
        incomplete.sort_unstable();
        let merged = view.segments.into_iter().map(|loaded| {
            let (seen, damaged) = merge_loaded(loaded);
            assert!(damaged.is_empty());
            ((seen.app, seen.day), (*seen.segment).clone())
        });
        let segments = merged.collect();
        let kept = store.kept(owner).await.unwrap();
        all.insert(owner, Found { kept, blocks: tail.blocks, since: tail.since, segments, incomplete });
    }
    all
}

fn copy<'a>(from: &'a Store, to: &'a Store) -> Copy<'a> {
    Copy { from, to, retention: Retention::of_installation(30), now: later(90_000) }
}

/// Copies until progress was told so often; nothing if it was broken off.
async fn broken_off(from: &Store, to: &Store, after: usize) -> Option<Result<Copied, CopyError>> {
    let (stop, told) = (Notify::new(), std::cell::Cell::new(0));
    let copy = copy(from, to);
    let run = copy.run(|_, _| {
        told.set(told.get() + 1);
        if told.get() == after {
            stop.notify_one();
        }
    });
    tokio::select! {
        biased;
        () = stop.notified() => None,
        done = run => Some(done),
    }
}

/// Two places of one installation.
fn places(from: Kind, to: Kind) -> (Place, Place) {
    let from = Place::fresh(from);
    let to = from.beside(to);
    (from, to)
}

const WAYS: [(Kind, Kind); 2] = [(Kind::Embedded, Kind::Redis), (Kind::Redis, Kind::Embedded)];

#[tokio::test]
async fn a_copy_holds_what_the_source_holds() {
    for (from, to) in WAYS {
        let (from, to) = places(from, to);
        let source = from.open().await;
        fill(&source).await;
        let expected = found(&source).await;
        let copied = copy(&source, &to.open_to_copy().await).run(|_, _| {}).await.unwrap();
        let segments = 2 * 2 * 5;
        assert_eq!(copied, Copied { owners: 3, devices: 10, segments, damaged: 0 });
        assert!(found(&to.open().await).await == expected);
        // The source is as it was.
        assert_eq!(found(&source).await, expected);
    }
}

#[tokio::test]
async fn a_copy_that_was_broken_off_anywhere_goes_on() {
    for (from, to) in WAYS {
        let (from, to) = places(from, to);
        let source = from.open().await;
        fill(&source).await;
        let expected = found(&source).await;
        let mut broken = 0;
        for after in 1..100 {
            // Each time in a process of its own.
            if let Some(done) = broken_off(&source, &to.open_to_copy().await, after).await {
                done.unwrap();
                break;
            }
            broken += 1;
            let unfinished = to.open_as(&to.installation).await.unwrap_err();
            assert!(matches!(unfinished, StoreError::Unfinished(_)), "{unfinished}");
        }
        assert!(broken > 10, "{broken}");
        assert!(found(&to.open().await).await == expected);
    }
}

#[tokio::test]
async fn a_copy_goes_to_an_empty_place_only_and_from_a_source_that_stays() {
    for (from, kind) in WAYS {
        let (from, to) = places(from, kind);
        let source = from.open().await;
        fill(&source).await;
        assert!(broken_off(&source, &to.open_to_copy().await, 7).await.is_none());
        brings(&source, ACME, &[(ONE, TODAY, 4)], 99).await;
        let changed = copy(&source, &to.open_to_copy().await).run(|_, _| {}).await;
        assert!(matches!(changed, Err(CopyError::Changed)), "{changed:?}");

        let full = from.beside(kind);
        brings(&full.open().await, ACME, &[(ONE, TODAY, 4)], 1).await;
        let before = found(&full.open().await).await;
        let refused = copy(&source, &full.open_to_copy().await).run(|_, _| {}).await;
        assert!(matches!(refused, Err(CopyError::NotEmpty)), "{refused:?}");
        assert_eq!(found(&full.open().await).await, before);
    }
}
