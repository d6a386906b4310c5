//! What reports show when the server's clock was wrong.

use headcount_engine::day::{DAY_MILLIS, Millis};
use serde_json::json;

use super::retention::{TODAY, at_noon, check, report, summary};
use super::shop::open;
use crate::app::Caller;

#[tokio::test]
async fn an_expired_day_does_not_come_back_with_the_clock() {
    let (app, clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    let noon = clock.now();
    check(&app, "stable", "1.0.0", 1).await;
    check(&app, "stable", "1.1.0", 2).await;
    assert_eq!(summary(&report(&caller, "").await), [2, 2, 1, 1]);

    // For a while the clock is a year ahead, and everything expires.
    clock.set(Millis(noon.0 + 300 * DAY_MILLIS));
    app.app.keeper.round().await.unwrap();
    clock.set(noon);
    let question = format!("from={}&to={TODAY}", TODAY.plus(-1));
    let gone = report(&caller, &question).await;
    assert_eq!((summary(&gone), &gone["incomplete"]), ([0, 0, 0, 0], &json!([TODAY.to_string()])));
    // What comes on that day, and what is shipped again of it, does not make a part of it look like the whole.
    check(&app, "stable", "1.0.0", 1).await;
    app.app.keeper.round().await.unwrap();
    assert_eq!(report(&caller, &question).await, gone);
    let token = caller.token().to_owned();
    let app = app.restart().await;
    let caller = Caller::known(&app, &token);
    assert_eq!(report(&caller, &question).await, gone);

    // The days that had not come yet are whole.
    clock.set(Millis(noon.0 + DAY_MILLIS));
    check(&app, "stable", "1.0.0", 1).await;
    let week = report(&caller, "range=week").await;
    assert_eq!((summary(&week), &week["incomplete"]), ([1, 1, 0, 1], &json!([TODAY.to_string()])));
    assert_eq!(report(&caller, "").await.get("incomplete"), None);
}

#[tokio::test]
async fn checks_on_both_sides_of_midnight_count_on_their_days() {
    let (app, clock) = at_noon().await;
    let caller = open(&app, "acme").await;
    clock.set(Millis(TODAY.plus(1).start().0 - 100));
    check(&app, "stable", "1.0.0", 1).await;
    check(&app, "stable", "1.0.0", 2).await;
    clock.set(Millis(TODAY.plus(1).start().0 + 100));
    check(&app, "stable", "1.1.0", 1).await;
    let both = report(&caller, &format!("from={TODAY}&to={}", TODAY.plus(1))).await;
    let days = both["daily_stats"].as_array().unwrap();
    let numbers = |at: usize| {
        ["total_requests", "unique_clients", "clients_using_latest_version", "clients_outdated"]
            .map(|field| days[at][field].as_u64().unwrap())
    };
    assert_eq!((days.len(), numbers(0), numbers(1)), (2, [2, 2, 0, 2], [1, 1, 1, 0]));
    assert_eq!(summary(&both), [3, 2, 1, 2]);
}
