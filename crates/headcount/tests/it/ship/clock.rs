//! Midnight, and clocks that are wrong for a while.

use super::*;

const HOUR: Duration = Duration::from_hours(1);
/// The last moment before tomorrow.
const LATE: Millis = Millis(TODAY.plus(1).start().0 - 1);

/// Events of two devices on both sides of midnight, in the order in which two threads may hand them over.
fn around_midnight() -> Vec<Event> {
    let late = |before: i64| Millis(LATE.0 - before);
    vec![
        event(1, 1, "1.0.0", late(100)),
        event(1, 1, "2.0.0", Millis(LATE.0 + 1)),
        event(1, 2, "1.0.0", late(0)),
        event(1, 1, "1.5.0", late(1)),
        event(1, 2, "2.0.0", Millis(LATE.0 + 2)),
    ]
}

#[tokio::test]
async fn midnight_within_a_batch_divides_it() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(LATE), fresh_directory());
    let store = place.open().await;
    // In one row, and in rows that are shipped in one step.
    left_behind(&directory, SpoolId([1; 16]), &[(0, 1, row_of(around_midnight()))]);
    let rows = around_midnight().into_iter().map(|event| row_of(vec![event]));
    let rows: Vec<_> = (0..).zip(rows).map(|(number, row)| (number, 1, row)).collect();
    left_behind(&directory, SpoolId([2; 16]), &rows);
    let machine = Machine::start(&directory, &store, &clock);
    machine.record_all(around_midnight()).await;
    machine.flush().await.unwrap();
    clock.set(Millis(LATE.0 + 2));
    machine.record_all(around_midnight()).await;
    machine.stop().await;
    let all: Vec<Event> = (0..4).flat_map(|_| around_midnight()).collect();
    assert_counted(&store, &all).await;
}

#[tokio::test]
async fn midnight_within_a_replay_moves_nothing() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(LATE), fresh_directory());
    let machine = Machine::start(&directory, &place.open().await, &clock);
    machine.record_all(around_midnight()).await;
    machine.flush().await.unwrap();
    machine.stop().await;
    for after in [Duration::from_millis(1), HOUR * 20] {
        place.delete();
        let store = place.open().await;
        let machine = Machine::start(&directory, &store, &clock);
        clock.advance(after);
        machine.flush().await.unwrap();
        machine.stop().await;
        assert_counted(&store, &around_midnight()).await;
    }
}

#[tokio::test]
async fn events_of_a_clock_that_was_ahead_wait_for_their_day() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let store = place.open().await;
    let machine = Machine::start(&directory, &store, &clock);
    let mut counted = vec![check(1, &clock)];
    machine.record(check(1, &clock)).await;
    clock.advance(DAY);
    let ahead = vec![check(1, &clock), check(2, &clock)];
    machine.record_all(ahead.clone()).await;
    // The clock is put back; what comes now is not held up, also where it comes from both sides of a restart.
    clock.set(TODAY.start());
    for number in 3..6 {
        machine.record(check(number, &clock)).await;
        counted.push(check(number, &clock));
        clock.advance(Duration::from_millis(1));
    }
    machine.flush().await.unwrap();
    assert_counted(&store, &counted).await;
    let machine = machine.restart(&store).await;
    machine.record(check(6, &clock)).await;
    counted.push(check(6, &clock));
    machine.flush().await.unwrap();
    assert_counted(&store, &counted).await;
    // An hour before their moment they are near enough.
    clock.set(Millis(ahead[0].at.0 - 3_600_001));
    machine.flush().await.unwrap();
    assert_counted(&store, &counted).await;
    clock.advance(Duration::from_millis(1));
    machine.flush().await.unwrap();
    assert_counted(&store, counted.iter().chain(&ahead)).await;
    machine.restart(&store).await.stop().await;
    assert_counted(&store, counted.iter().chain(&ahead)).await;
}

#[tokio::test]
async fn a_clock_that_starts_far_behind_loses_nothing() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let store = place.open().await;
    let recorded: Vec<Event> = (0..20).map(|number| check(number, &clock)).collect();
    left_behind(&directory, SpoolId([1; 16]), &[(0, 1, row_of(recorded.clone()))]);
    clock.set(Millis(0));
    let machine = Machine::start(&directory, &store, &clock);
    machine.flush().await.unwrap();
    assert_counted(&store, &[]).await;
    clock.set(Millis(TODAY.start().0 + 5));
    machine.flush().await.unwrap();
    machine.stop().await;
    assert_counted(&store, &recorded).await;
}

#[tokio::test]
async fn a_clock_that_goes_back_a_little_changes_nothing() {
    let (place, clock, directory) = (Place::fresh(), Clock::stopped_at(TODAY.start()), fresh_directory());
    let store = place.open().await;
    let machine = Machine::start(&directory, &store, &clock);
    let mut events = Vec::new();
    for number in 0..20 {
        clock.set(Millis(TODAY.start().0 + i64::from(number % 7) * 500_000));
        events.push(check(number % 5, &clock));
        machine.record(events[events.len() - 1].clone()).await;
        if number % 3 == 0 {
            machine.flush().await.unwrap();
        }
    }
    machine.stop().await;
    assert_counted(&store, &events).await;
    assert_eq!(files(&directory).unwrap().len(), 1, "a file was set aside");
}
