//! The two axes of an image, and pairs of values for them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ImageSize;

/// One of the two axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Rows, downward.
    Y,
    /// Columns.
    X,
}

impl Axis {
    /// Both axes, rows first.
    pub const BOTH: [Self; 2] = [Self::Y, Self::X];

    /// A size's extent along this axis.
    pub const fn of(self, size: ImageSize) -> usize {
        match self {
            Self::Y => size.height,
            Self::X => size.width,
        }
    }
}

/// A value for each axis. In JSON, one value where both are equal, else `[y, x]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PerAxis<T> {
    /// Along the rows, downward.
    pub y: T,
    /// Along the columns.
    pub x: T,
}

impl<T> PerAxis<T> {
    /// The values `y` and `x`.
    pub const fn new(y: T, x: T) -> Self {
        Self { y, x }
    }

    /// The value of each axis.
    pub fn from_fn(mut value: impl FnMut(Axis) -> T) -> Self {
        Self { y: value(Axis::Y), x: value(Axis::X) }
    }
}

impl<T: Copy> PerAxis<T> {
    /// The same value on both axes.
    pub const fn both(value: T) -> Self {
        Self { y: value, x: value }
    }

    /// The value of an axis.
    pub const fn of(self, axis: Axis) -> T {
        match axis {
            Axis::Y => self.y,
            Axis::X => self.x,
        }
    }
}

impl<T: Copy + PartialEq> PerAxis<T> {
    /// The value, where both axes have the same.
    pub fn if_equal(self) -> Option<T> {
        (self.y == self.x).then_some(self.y)
    }
}

impl<T: Serialize + Copy + PartialEq> Serialize for PerAxis<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.if_equal() {
            Some(value) => value.serialize(serializer),
            None => [self.y, self.x].serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for PerAxis<usize> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let numbers = Numbers::<2>::deserialize(deserializer)?;
        match numbers.0[..] {
            [both] => Ok(Self::both(both)),
            [y, x] => Ok(Self { y, x }),
            _ => Err(serde::de::Error::custom("expected a number or [height, width]")),
        }
    }
}

/// How far a window's first and last positions reach past the input, on each side. In JSON, one
/// number where all are equal, `[y, x]` where opposite sides are, else `[top, left, bottom, right]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Padding {
    /// Above and to the left.
    pub before: PerAxis<usize>,
    /// Below and to the right.
    pub after: PerAxis<usize>,
}

impl Padding {
    /// The same on all four sides.
    pub const fn all(padding: usize) -> Self {
        Self::symmetric(PerAxis::both(padding))
    }

    /// The same on opposite sides.
    pub const fn symmetric(padding: PerAxis<usize>) -> Self {
        Self { before: padding, after: padding }
    }

    /// The four sides: top, left, bottom, right.
    pub const fn sides(self) -> [usize; 4] {
        [self.before.y, self.before.x, self.after.y, self.after.x]
    }
}

impl Serialize for Padding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.before == self.after {
            self.before.serialize(serializer)
        } else {
            self.sides().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Padding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let numbers = Numbers::<4>::deserialize(deserializer)?;
        match numbers.0[..] {
            [all] => Ok(Self::all(all)),
            [y, x] => Ok(Self::symmetric(PerAxis { y, x })),
            [top, left, bottom, right] => {
                Ok(Self { before: PerAxis::new(top, left), after: PerAxis::new(bottom, right) })
            }
            _ => Err(serde::de::Error::custom(
                "expected a number, [y, x] or [top, left, bottom, right]",
            )),
        }
    }
}

/// One number, or a list of up to `MOST`.
struct Numbers<const MOST: usize>(Vec<usize>);

impl<'de, const MOST: usize> Deserialize<'de> for Numbers<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<const MOST: usize>;

        impl<'de, const MOST: usize> serde::de::Visitor<'de> for Visitor<MOST> {
            type Value = Vec<usize>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "a whole number that is not negative, or a list of up to {MOST} of them")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
                usize::try_from(number).map(|number| vec![number]).map_err(E::custom)
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
                let number = serde::de::Unexpected::Signed(number);
                Err(E::invalid_value(number, &self))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<Self::Value, A::Error> {
                let mut numbers = Vec::with_capacity(MOST);
                while let Some(number) = list.next_element()? {
                    if numbers.len() == MOST {
                        return Err(serde::de::Error::invalid_length(MOST + 1, &self));
                    }
                    numbers.push(number);
                }
                Ok(numbers)
            }
        }

        deserializer.deserialize_any(Visitor::<MOST>).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_short_as_they_can_be_and_read_back() {
        let pairs = [("3", PerAxis::both(3)), ("[3,1]", PerAxis::new(3, 1))];
        for (json, value) in pairs {
            assert_eq!(serde_json::to_string(&value).unwrap(), json);
            assert_eq!(serde_json::from_str::<PerAxis<usize>>(json).unwrap(), value);
        }
        let uneven = Padding { before: PerAxis::new(1, 2), after: PerAxis::new(3, 2) };
        let paddings = [
            ("2", Padding::all(2)),
            ("[0,3]", Padding::symmetric(PerAxis::new(0, 3))),
            ("[1,2,3,2]", uneven),
        ];
        for (json, value) in paddings {
            assert_eq!(serde_json::to_string(&value).unwrap(), json);
            assert_eq!(serde_json::from_str::<Padding>(json).unwrap(), value);
        }
    }

    #[test]
    fn anything_else_is_an_error_that_says_what_is_expected() {
        for json in ["-1", "1.5", "\"3\"", "[1,2,3]", "[]", "null"] {
            let error = serde_json::from_str::<PerAxis<usize>>(json).unwrap_err().to_string();
            assert!(error.contains("expected"), "{json}: {error}");
        }
        let error = serde_json::from_str::<Padding>("[1,2,3,4,5]").unwrap_err().to_string();
        assert!(error.contains("a list of up to 4"), "{error}");
    }
}
