//! A relay that misbehaves, at every frame of a script and in every way that comes to mind: either it
//! comes to nothing, or somebody is told something that names whom it is about.
//!
//! The sessions, the room and the intake are the real ones; a relay meddles with what goes from the room
//! into a member's queue. Keys do without arithmetic here ([`quick`]), but for a few runs. The rules were
//! first tried in a model, from which the script, the ways and the oracle come.

#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "all of it is a test, which may panic and print"
)]
#![allow(
    unreachable_pub,
    clippy::struct_excessive_bools,
    clippy::items_after_statements,
    reason = "all of it is a test"
)]

mod misbehaviour;
mod oracle;
mod relay;
mod rows;
mod script;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use crate::cipher::keys::quick;

use misbehaviour::{
    Misbehaviour, Misbehaviours, habits, tricks, with_eviction, with_starvation,
};
use relay::Put;
use script::Script;
use world::{PERIOD, World};

/// A run of a script with these misbehaviours, and seven beacon periods of quiet after it.
fn play(script: &Script, misbehaviours: Vec<Misbehaviour>, puts: &[Put]) -> World {
    let last = misbehaviours.iter().map(Misbehaviour::end).max();
    let last = std::time::Duration::from_secs(last.unwrap_or_default());
    let misbehaviours = Misbehaviours::new(misbehaviours, puts);
    let mut world = World::new(script, misbehaviours);
    world.run(script::end(script).max(last) + 7 * PERIOD);
    world
}

fn honest(script: &Script) -> World {
    play(script, Vec::new(), &[])
}

#[test]
fn an_honest_relay_causes_no_alarm_and_all_is_confirmed() {
    for is_quick in [false, true] {
        quick::set(is_quick);
        let start = Instant::now();
        let world = honest(&script::three());
        println!("{} frames, {:?}", world.puts.len(), start.elapsed());
        let wrong = world.judge(None);
        assert!(wrong.is_empty(), "{wrong:#?}");
        for said in &world.said {
            for (reader, fate) in &said.readers {
                println!("{} {:?} -> {reader}: {} {} {}", said.author, said.text, fate.shown, fate.is_confirmed, fate.is_told);
            }
        }
        for (who, m) in &world.members { println!("{who} {:?}", m.alarms); }
    }
}

/// Runs of one kind: how many there were, and in how many somebody was told something.
#[derive(Default)]
struct Tally {
    runs: usize,
    told: usize,
    wrong: Vec<String>,
}

/// Makes all these runs, on two threads, and says which ones went unnoticed.
fn try_all(script: &Script, all: &[Vec<Misbehaviour>]) -> BTreeMap<String, Tally> {
    let start = Instant::now();
    let next = AtomicUsize::new(0);
    let some = || {
        quick::set(true);
        let honest = honest(script);
        let known = honest.judge(None);
        let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
        while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
            let world = play(script, one.clone(), &honest.puts);
            let wrong = world.judge(Some(&honest));
            let wrong = wrong.into_iter().filter(|wrong| !known.contains(wrong));
            let names: Vec<String> = one.iter().map(Misbehaviour::name).collect();
            let tally = tallies.entry(names.join("+")).or_default();
            tally.runs += 1;
            tally.told += usize::from(world.members.values().any(|member| {
                member.alarms.iter().any(|alarm| !alarm.is_weak)
            }));
            tally.wrong.extend(wrong.take(1).map(|wrong| format!("{one:?}: {wrong}")));
        }
        tallies
    };
    let mut tallies = BTreeMap::new();
    thread::scope(|scope| {
        let other = scope.spawn(some);
        for (name, tally) in some().into_iter().chain(other.join().expect("no panic")) {
            let all: &mut Tally = tallies.entry(name).or_default();
            all.runs += tally.runs;
            all.told += tally.told;
            all.wrong.extend(tally.wrong);
        }
    });
    for (name, tally) in &tallies {
        println!(
            "{:6} {name}: told in {}, unnoticed {}",
            tally.runs,
            tally.told,
            tally.wrong.len()
        );
        for wrong in tally.wrong.iter().take(3) {
            println!("       {wrong}");
        }
    }
    let runs: usize = tallies.values().map(|tally| tally.runs).sum();
    let wrong: usize = tallies.values().map(|tally| tally.wrong.len()).sum();
    println!("{runs} runs, {wrong} unnoticed, {:?}", start.elapsed());
    tallies
}

/// What is tried alone: every trick at every frame, and every habit.
fn alone(script: &Script) -> (World, Vec<Misbehaviour>, Vec<Vec<Misbehaviour>>) {
    quick::set(true);
    let (honest, end) = (honest(script), script::end(script));
    let tricks = tricks(&honest.puts, end);
    let habits = habits(honest.members.len(), end.as_secs());
    (honest, tricks, habits)
}

#[track_caller]
fn assert_noticed(tallies: &BTreeMap<String, Tally>) {
    let wrong: Vec<&String> = tallies.values().flat_map(|tally| &tally.wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_misbehaviour_at_every_frame_is_noticed() {
    let script = script::three();
    let (_, tricks, habits) = alone(&script);
    let mut all: Vec<Vec<Misbehaviour>> = tricks.into_iter().map(|one| vec![one]).collect();
    all.extend(habits);
    assert_noticed(&try_all(&script, &all));
}

#[test]
fn every_misbehaviour_is_noticed_where_statements_are_dropped_besides() {
    let script = script::three();
    let (honest, tricks, _) = alone(&script);
    let all = with_starvation(&honest.puts, &tricks, 3);
    assert_noticed(&try_all(&script, &all));
}

#[test]
fn every_misbehaviour_is_noticed_where_its_victim_is_thrown_out() {
    let script = script::three();
    let (honest, tricks, _) = alone(&script);
    let all = with_eviction(&honest.puts, &tricks);
    assert_noticed(&try_all(&script, &all));
}
