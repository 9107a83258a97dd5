//! Plans for presentations, each axis planned once for all presentations that share it.

use std::collections::HashMap;

use super::axis::reaches;
use super::{AxisPlan, Plan, Reach, Subgraph};
use crate::geometry::{Axis, Occluder, Span};

/// The key of a plan: presentations with equal keys, of whatever images, units and positions, are
/// the same work up to where it lies on the maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanKey {
    /// The plan along the rows, as [`Planner::key_along`] counts them.
    pub y: u32,
    /// The plan along the columns.
    pub x: u32,
}

/// Plans the presentations to one layer.
///
/// Presentations share a plan where all their spans are equal relative to the unit's own
/// backward cone: the occluders are aligned alike, and the ends of the maps, if they are met at
/// all, cut the same windows at the same position.
#[derive(Debug)]
pub struct Planner<'l> {
    subgraph: &'l Subgraph,
    y: AxisPlanner,
    x: AxisPlanner,
}

impl<'l> Planner<'l> {
    /// A planner without plans yet.
    pub fn new(subgraph: &'l Subgraph) -> Self {
        Self { subgraph, y: AxisPlanner::new(Axis::Y), x: AxisPlanner::new(Axis::X) }
    }

    /// The layers that plans are about.
    pub fn subgraph(&self) -> &'l Subgraph {
        self.subgraph
    }

    /// The key of the plan for an occluder in front of the unit at `position`, `(y, x)`.
    pub fn key(&mut self, position: (usize, usize), occluder: &Occluder) -> PlanKey {
        let Occluder { top, left, size, .. } = *occluder;
        PlanKey {
            y: self.key_along(Axis::Y, position.0, top, size),
            x: self.key_along(Axis::X, position.1, left, size),
        }
    }

    /// One half of such a key: for an occluder of `size` pixels from `first` on along the axis, in
    /// front of a unit at `position` of it. Keys count from 0.
    pub fn key_along(&mut self, axis: Axis, position: usize, first: usize, size: usize) -> u32 {
        match axis {
            Axis::Y => self.y.key(self.subgraph, position, first, size),
            Axis::X => self.x.key(self.subgraph, position, first, size),
        }
    }

    /// The plans along an axis, in the order of their keys.
    pub fn along(&self, axis: Axis) -> &[AxisPlan] {
        match axis {
            Axis::Y => &self.y.plans,
            Axis::X => &self.x.plans,
        }
    }

    /// Bytes that the plans take.
    pub fn bytes(&self) -> usize {
        self.y.bytes + self.x.bytes
    }

    /// The plan of a key that this planner gave.
    pub fn plan(&self, key: PlanKey) -> Plan<'_> {
        Plan {
            subgraph: self.subgraph,
            y: &self.y.plans[key.y as usize],
            x: &self.x.plans[key.x as usize],
        }
    }
}

/// One axis of a planner.
#[derive(Debug)]
struct AxisPlanner {
    axis: Axis,
    /// Backward cones by the target's position.
    cones: HashMap<usize, Vec<Span>>,
    /// Plans by (position, first occluded pixel, occluder size).
    known: HashMap<(usize, usize, usize), u32>,
    /// Plans by what they are.
    equal: HashMap<Vec<Reach>, u32>,
    plans: Vec<AxisPlan>,
    /// Bytes of `plans` and of what they are known by.
    bytes: usize,
}

impl AxisPlanner {
    fn new(axis: Axis) -> Self {
        Self {
            axis,
            cones: HashMap::new(),
            known: HashMap::new(),
            equal: HashMap::new(),
            plans: Vec::new(),
            bytes: 0,
        }
    }

    fn key(&mut self, subgraph: &Subgraph, position: usize, first: usize, size: usize) -> u32 {
        *self.known.entry((position, first, size)).or_insert_with(|| {
            let cone = self
                .cones
                .entry(position)
                .or_insert_with(|| subgraph.backward(self.axis, Span::at(position)));
            let occluded = Span::new(first as isize, (first + size) as isize);
            let reaches = reaches(subgraph, self.axis, cone, position, occluded);
            let next = self.plans.len() as u32;
            match self.equal.entry(reaches) {
                std::collections::hash_map::Entry::Occupied(entry) => *entry.get(),
                std::collections::hash_map::Entry::Vacant(entry) => {
                    let plan = AxisPlan::new(subgraph, self.axis, entry.key().clone());
                    self.bytes += plan.bytes() + size_of_val(&entry.key()[..]);
                    self.plans.push(plan);
                    *entry.insert(next)
                }
            }
        })
    }
}
