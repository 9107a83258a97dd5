//! Differences summed over images, where the engine keeps them.

/// Where the differences of one image's occluders are added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deposits {
    /// The slots that get anything, each once, with how many of `occluders` are added there.
    pub slots: Vec<(u32, u32)>,
    /// The occluders of each slot, ascending, one slot after the other.
    pub occluders: Vec<u32>,
}

/// One image of a map that is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SummedImage {
    /// Which of the deposits are its.
    pub deposits: usize,
    /// Where its differences begin among those kept: of `occluders` occluders, draw by draw.
    pub differences: usize,
    /// Its occluders.
    pub occluders: usize,
}

/// What is to be summed.
#[derive(Clone, Debug, Default)]
pub struct Summation {
    /// How many slots there are.
    pub slots: usize,
    /// Draws of the noise, of each occluder.
    pub draws: usize,
    /// Whether signed and squared differences are summed too.
    pub moments: bool,
    /// Where differences are added: images at the same position share them.
    pub deposits: Vec<Deposits>,
    /// Each map's images, in the order in which they are summed.
    pub maps: Vec<Vec<SummedImage>>,
}

/// The sums of one map, a value a slot: of its images' `x`, where `x` is the sum over a slot's
/// occluders of the mean over draws. In 64 bits, each operation rounded by itself, images in order,
/// occluders ascending, draws in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MapSums {
    /// Of the sizes of differences.
    pub absolute: Vec<f64>,
    /// Of the squares of an image's `absolute`.
    pub absolute_squared: Vec<f64>,
    /// Of `absolute`, of every second image from the first on.
    pub alternate: Vec<f64>,
    /// Of differences; empty without moments.
    pub signed: Vec<f64>,
    /// Of squared differences; empty without moments.
    pub squared: Vec<f64>,
}
