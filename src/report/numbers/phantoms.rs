//! Maps whose numbers are known.

use ndarray::Array2;

use crate::files::Digest;
use crate::geometry::{
    AxisProjection, Deposit, Frame, FrameRule, GridRule, ImageSize, LayerGeometry, PixelBox,
    Projection,
};
use crate::maps::{LayerConfiguration, MeanOver, SweepParameters};
use crate::network::MapContext;
use crate::noise::FillRule;
use crate::report::{Gaussian, MapCoverage, UnitMap};

/// A layer with this RF, under the reference's occluders.
pub fn layer(rf: usize) -> LayerConfiguration {
    let (occluder_size, occluder_stride) = GridRule::REFERENCE.size_and_stride(rf).unwrap();
    LayerConfiguration {
        name: "features.0".into(),
        units: 4,
        swept: None,
        rf,
        occluder_size,
        occluder_stride,
        layer: "conv1".into(),
        presentations: 0,
        ranking_sha256: Digest::of(b""),
        block: 4,
    }
}

/// The reference's settings.
pub fn settings() -> SweepParameters {
    SweepParameters {
        top: 1,
        noise: "philox:0".into(),
        fill: FillRule::Noise,
        fill_values: None,
        grid: GridRule::REFERENCE,
        every: 1,
        frame: FrameRule::Field,
        deposit: Deposit::Centre,
        repeats: 1,
        mean_over: MeanOver::Images,
        context: MapContext::Exact,
        statistics: false,
        moments: false,
        reliability_curve: false,
        until_reliable: None,
    }
}

/// The geometry of such a layer on images of this size, whose RFs begin at every pixel.
pub fn geometry(rf: usize, image: ImageSize) -> LayerGeometry {
    LayerGeometry {
        projection: Projection::square(AxisProjection { step: 1, offset: 0, size: rf }),
        output: image,
        image,
        rule: GridRule::REFERENCE,
        every: 1,
        frame: FrameRule::Field,
    }
}

/// The coverage of a mean over images with these frames.
pub fn coverage(geometry: &LayerGeometry, frames: &[Frame]) -> MapCoverage {
    MapCoverage::of_frames(geometry, Deposit::Centre, MeanOver::Images, frames).unwrap()
}

/// That of one image, which does not cut the RF.
pub fn uncut(rf: usize) -> MapCoverage {
    coverage(&geometry(rf, ImageSize::square(rf)), &[Frame { y: 0, x: 0 }])
}

/// An elliptical Gaussian over an offset.
#[derive(Clone, Copy, Debug)]
pub struct Phantom {
    pub amplitude: f64,
    pub y: f64,
    pub x: f64,
    pub long: f64,
    pub short: f64,
    pub degrees: f64,
    pub offset: f64,
}

impl Default for Phantom {
    fn default() -> Self {
        Self { amplitude: 1.0, y: 0.0, x: 0.0, long: 1.0, short: 1.0, degrees: 0.0, offset: 0.0 }
    }
}

impl Phantom {
    pub fn value(&self, y: f64, x: f64) -> f64 {
        let profile = Gaussian::oriented([self.y, self.x], [self.long, self.short], self.degrees);
        self.amplitude * profile.value(y, x) + self.offset
    }

    /// Its map, marked at the centres of the reference's occluders.
    pub fn map(&self, rf: usize) -> UnitMap {
        self.noisy_map(rf, &mut || 0.0)
    }

    /// The same, with something added to each mark.
    pub fn noisy_map(&self, rf: usize, noise: &mut dyn FnMut() -> f64) -> UnitMap {
        let whole = PixelBox { y_min: 0, x_min: 0, y_max: rf - 1, x_max: rf - 1 };
        let mut map = Array2::zeros((rf, rf));
        for occluder in GridRule::REFERENCE.occluders(&whole, rf, ImageSize::square(rf)).unwrap() {
            let half = (occluder.size - 1) / 2;
            let (y, x) = (occluder.top + half, occluder.left + half);
            map[[y, x]] = self.value(y as f64, x as f64) + noise();
        }
        UnitMap::Values { map, coverage: uncut(rf) }
    }
}
