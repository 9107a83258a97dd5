//! A discrete simulation of a sweep's scheduling. Tasks do what the program's do: the blocks of
//! their own shard, then what nobody has begun, then they wait for what others have in hand of their
//! shard; they list the folder when their list is 20 s old, or 1 s once it was wrong, and take a lease
//! for dead that they have seen silent for three minutes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use occlumap::blocks::Shard;
use occlumap::noise::philox4x32_10;

use crate::calls::Costs;
use crate::{BLOCKS, TASKS};

const LIST_AGE: f64 = 20.0;
const WRONG_LIST_AGE: f64 = 1.0;
const HEARTBEAT: f64 = 20.0;
const SILENCE: f64 = 180.0;
const PAUSES: [f64; 2] = [0.5, 16.0];

/// Every twentieth task never starts; of the others every tenth only after half the time that the
/// sweep would take, the rest within five minutes. A task dies, without a word, once an hour, and
/// nine of ten come again after two minutes.
const NEVER: f64 = 0.05;
const LATE: f64 = 0.1;
const LIFE: f64 = 3600.0;
const RETURNS: f64 = 0.9;

#[derive(Clone, Copy, PartialEq)]
enum State {
    Free,
    /// By a task, in one of its lives.
    Leased(usize, u32),
    Done,
}

/// What a task does next.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Mine,
    Help,
    Wait,
}

struct Task {
    shard: Shard,
    life: u32,
    alive: bool,
    stage: Stage,
    /// Blocks of this pass, the next one last.
    pass: Vec<usize>,
    /// What of its shard others had in hand.
    left: Vec<usize>,
    /// What it saw in the folder, and when.
    list: Vec<State>,
    listed: f64,
    /// How old that may become.
    most: f64,
    pause: f64,
    /// When it first saw that the owner of a block of its shard is silent.
    silent: Vec<(usize, f64)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Event {
    Begin(usize),
    Die(usize, u32),
    /// A task goes on, in one of its lives; with a block that it has finished.
    Step(usize, u32, Option<usize>),
}

struct Simulation<'a> {
    costs: &'a Costs,
    mean: f64,
    blocks: Vec<State>,
    tasks: Vec<Task>,
    queue: BinaryHeap<Reverse<(u64, usize)>>,
    events: Vec<Event>,
    drawn: u32,
    /// System calls and leases, a minute.
    calls: Vec<f64>,
    leases: Vec<f64>,
    computed: usize,
    deaths: usize,
    last: f64,
}

/// Simulates a sweep whose blocks take `mean` seconds, and prints what it asks of the file system.
pub fn run(mean: f64, costs: &Costs) {
    let ideal = mean * BLOCKS as f64 / TASKS as f64;
    let shard = |task: usize| format!("{}/{TASKS}", task + 1).parse().unwrap();
    let task = |task| Task {
        shard: shard(task),
        life: 0,
        alive: false,
        stage: Stage::Mine,
        pass: Vec::new(),
        left: Vec::new(),
        list: Vec::new(),
        listed: f64::NEG_INFINITY,
        most: LIST_AGE,
        pause: PAUSES[0],
        silent: Vec::new(),
    };
    let mut simulation = Simulation {
        costs,
        mean,
        blocks: vec![State::Free; BLOCKS],
        tasks: (0..TASKS).map(task).collect(),
        queue: BinaryHeap::new(),
        events: Vec::new(),
        drawn: 0,
        calls: Vec::new(),
        leases: Vec::new(),
        computed: 0,
        deaths: 0,
        last: 0.0,
    };
    for task in 0..TASKS {
        if simulation.draw() >= NEVER {
            let late = simulation.draw() < LATE;
            let start = if late { ideal / 2.0 } else { 300.0 * simulation.draw() };
            simulation.at(start, Event::Begin(task));
        }
    }
    while let Some(Reverse((time, event))) = simulation.queue.pop() {
        simulation.happens(time as f64 / 1e6, simulation.events[event]);
    }
    let Simulation { calls, leases, computed, deaths, last, blocks, .. } = simulation;
    let left = blocks.iter().filter(|state| **state != State::Done).count();
    let most = |of: &[f64]| of.iter().copied().fold(0.0, f64::max) / 60.0;
    println!(
        "\nsimulated: {BLOCKS} blocks of {mean} s, {TASKS} tasks, {deaths} deaths: {:.1} minutes, \
         of which {:.1} with all tasks from the beginning; {computed} blocks computed, {left} left \
         for another submission\n\
         leases: {:.1} a second on average, {:.1} in the busiest minute\n\
         calls: {:.0} a second on average, {:.0} in the busiest minute",
        last / 60.0,
        ideal / 60.0,
        leases.iter().sum::<f64>() / last,
        most(&leases),
        calls.iter().sum::<f64>() / last,
        most(&calls),
    );
}

impl Simulation<'_> {
    /// A number from 0 to 1 that looks random, the same each time.
    fn draw(&mut self) -> f64 {
        self.drawn += 1;
        f64::from(philox4x32_10([self.drawn, 0, 0, 0], [0, 0])[0]) / 2f64.powi(32)
    }

    fn at(&mut self, time: f64, event: Event) {
        self.queue.push(Reverse(((time * 1e6) as u64, self.events.len())));
        self.events.push(event);
    }

    fn count(&mut self, time: f64, calls: f64, leases: f64) {
        let minute = (time / 60.0) as usize;
        for (counts, count) in [(&mut self.calls, calls), (&mut self.leases, leases)] {
            counts.resize(counts.len().max(minute + 1), 0.0);
            counts[minute] += count;
        }
    }

    fn happens(&mut self, time: f64, event: Event) {
        match event {
            Event::Begin(task) => {
                let death = -(1.0 - self.draw()).ln() * LIFE;
                let this = &mut self.tasks[task];
                this.life += 1;
                this.alive = true;
                this.stage = Stage::Mine;
                this.left.clear();
                this.silent.clear();
                this.pause = PAUSES[0];
                // It opens the folder, and finds the configuration there.
                let life = this.life;
                self.count(time, 10.0, 0.0);
                self.begin_pass(task, time);
                self.at(time + death, Event::Die(task, life));
                self.at(time, Event::Step(task, life, None));
            }
            Event::Die(task, life) if self.tasks[task].life == life && self.tasks[task].alive => {
                self.tasks[task].alive = false;
                self.deaths += 1;
                if self.draw() < RETURNS {
                    self.at(time + 120.0, Event::Begin(task));
                }
            }
            Event::Step(task, life, finished)
                if self.tasks[task].life == life && self.tasks[task].alive =>
            {
                if let Some(block) = finished {
                    self.blocks[block] = State::Done;
                    self.computed += 1;
                    self.last = time;
                    let took = self.mean;
                    self.count(
                        time,
                        self.costs.block + self.costs.heartbeat * took / HEARTBEAT,
                        1.0,
                    );
                }
                self.step(task, life, time);
            }
            _ => {}
        }
    }

    fn list(&mut self, task: usize, time: f64) {
        let entries = self.blocks.iter().filter(|state| **state != State::Free).count();
        // Opening, and at least one call that says that there is no more.
        self.count(time, 3.0 + entries as f64 * self.costs.entry, 0.0);
        self.tasks[task].list.clone_from(&self.blocks);
        self.tasks[task].listed = time;
        self.tasks[task].most = LIST_AGE;
    }

    /// The blocks of a task's next pass.
    fn begin_pass(&mut self, task: usize, time: f64) {
        self.list(task, time);
        let this = &mut self.tasks[task];
        this.pass = match this.stage {
            Stage::Mine => (0..BLOCKS).filter(|&block| this.shard.has(block)).collect(),
            Stage::Help => {
                let others = this.shard.others(BLOCKS);
                others.filter(|&block| this.list[block] == State::Free).collect()
            }
            Stage::Wait => std::mem::take(&mut this.left),
        };
        this.pass.reverse();
    }

    /// Goes on with a task until it has a block in hand, waits or ends.
    fn step(&mut self, task: usize, life: u32, time: f64) {
        loop {
            let Some(block) = self.tasks[task].pass.pop() else {
                let this = &mut self.tasks[task];
                match this.stage {
                    Stage::Mine => this.stage = Stage::Help,
                    Stage::Help => {}
                    Stage::Wait if this.left.is_empty() => {
                        this.alive = false;
                        return;
                    }
                    Stage::Wait => {
                        let wait = this.pause;
                        this.pause = (2.0 * wait).min(PAUSES[1]);
                        this.pass = std::mem::take(&mut this.left);
                        this.listed = f64::NEG_INFINITY;
                        self.at(time + wait, Event::Step(task, life, None));
                        return;
                    }
                }
                self.begin_pass(task, time);
                if self.tasks[task].stage == Stage::Help && self.tasks[task].pass.is_empty() {
                    self.tasks[task].stage = Stage::Wait;
                }
                continue;
            };
            if time - self.tasks[task].listed > self.tasks[task].most {
                self.list(task, time);
            }
            let seen = self.tasks[task].list[block];
            let helps = self.tasks[task].stage == Stage::Help;
            if seen == State::Done || (helps && seen != State::Free) {
                continue;
            }
            if self.lease(task, life, block, time) {
                let took = self.mean * (0.5 + self.draw());
                self.at(time + took, Event::Step(task, life, Some(block)));
                return;
            }
            if seen == State::Free {
                self.tasks[task].most = WRONG_LIST_AGE;
            }
        }
    }

    /// Tries to get a lease on a block, for which there is something to do if it can be had.
    fn lease(&mut self, task: usize, life: u32, block: usize, time: f64) -> bool {
        match self.blocks[block] {
            State::Free => {}
            // Leased, and then seen to be there.
            State::Done => {
                self.count(time, self.costs.block / 2.0, 1.0);
                return false;
            }
            State::Leased(owner, of) => {
                self.count(time, self.costs.taken, 0.0);
                let alive = self.tasks[owner].alive && self.tasks[owner].life == of;
                let this = &mut self.tasks[task];
                let since = this.silent.iter().find(|(known, _)| *known == block);
                let dead = !alive && since.is_some_and(|(_, since)| time - since >= SILENCE);
                if !alive && since.is_none() {
                    this.silent.push((block, time));
                }
                if !dead {
                    if this.stage != Stage::Help {
                        this.left.push(block);
                    }
                    return false;
                }
            }
        }
        self.blocks[block] = State::Leased(task, life);
        true
    }
}
