//! Values past the ends of a map that is padded with its own.

use serde::{Deserialize, Serialize};

use super::Span;

/// Which of a map's values stand past its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Border {
    /// Those beside the first and the last position, mirrored about it.
    Reflect,
    /// That of the first and that of the last position.
    Edge,
}

impl Border {
    /// The position of an axis of `length` whose value stands at `position`. A reflection reaches
    /// `length - 1` positions past an end.
    pub fn source(self, position: isize, length: usize) -> isize {
        let last = length as isize - 1;
        let mirrored = match self {
            Self::Reflect if position < 0 => -position,
            Self::Reflect if position > last => 2 * last - position,
            _ => position,
        };
        mirrored.min(last).max(0)
    }

    /// The smallest span with the positions of an axis of `length` whose values stand at `positions`.
    pub fn sources(self, positions: Span, length: usize) -> Span {
        // Within a part, the position moves one way.
        let of_part = |part: Span| {
            let [one, other] = [part.start, part.end - 1].map(|end| self.source(end, length));
            Span::new(one.min(other), one.max(other) + 1)
        };
        let parts = parts(positions, length).into_iter().filter(|part| !part.is_empty());
        parts.map(of_part).fold(Span::EMPTY, Span::hull)
    }

    /// The smallest span with those of `positions` at which values of `sources`, positions of an axis of
    /// `length`, stand.
    pub fn copies(self, sources: Span, length: usize, positions: Span) -> Span {
        let [before, inside, after] = parts(positions, length);
        let is_copy = |&position: &isize| {
            let source = self.source(position, length);
            sources.start <= source && source < sources.end
        };
        let of_part = |part: Span| {
            let copies = (part.start..part.end).filter(is_copy);
            copies.map(|copy| Span::new(copy, copy + 1)).fold(Span::EMPTY, Span::hull)
        };
        of_part(before).hull(inside.intersect(sources)).hull(of_part(after))
    }
}

/// The positions before, on and after an axis of `length`.
fn parts(positions: Span, length: usize) -> [Span; 3] {
    let end = length as isize;
    [
        Span::new(positions.start, positions.end.min(0)),
        positions.intersect(Span::whole(length)),
        Span::new(positions.start.max(end), positions.end),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_past_the_ends_are_pytorchs() {
        let values = |border: Border, length: usize, reach: isize| {
            let positions = -reach..length as isize + reach;
            positions.map(|position| border.source(position, length)).collect::<Vec<_>>()
        };
        // `torch.nn.functional.pad(torch.arange(4.0)[None, None], (3, 3), mode)`.
        assert_eq!(values(Border::Reflect, 4, 3), [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]);
        assert_eq!(values(Border::Edge, 4, 3), [0, 0, 0, 0, 1, 2, 3, 3, 3, 3]);
        assert_eq!(values(Border::Edge, 1, 2), [0; 5]);
    }

    #[test]
    fn spans_are_those_of_their_positions() {
        for (border, length) in
            [(Border::Reflect, 5), (Border::Edge, 5), (Border::Reflect, 1), (Border::Edge, 2)]
        {
            let reach = length as isize - 1;
            let spans = |from: isize, to: isize| {
                (from..to).flat_map(move |start| (start..=to).map(move |end| Span::new(start, end)))
            };
            let hull = |found: Vec<isize>| {
                let all = found.into_iter().map(|position| Span::new(position, position + 1));
                all.fold(Span::EMPTY, Span::hull)
            };
            for positions in spans(-reach, length as isize + reach) {
                let each = || positions.start..positions.end;
                let sources = hull(each().map(|at| border.source(at, length)).collect());
                assert_eq!(border.sources(positions, length), sources, "{border:?} {positions:?}");
                for changed in spans(0, length as isize) {
                    let is_copy = |&at: &isize| {
                        changed.covers(Span::at(border.source(at, length) as usize))
                            && !changed.is_empty()
                    };
                    let copies = hull(each().filter(is_copy).collect());
                    let found = border.copies(changed, length, positions);
                    assert_eq!(found, copies, "{border:?} {changed:?} {positions:?}");
                }
            }
        }
    }
}
