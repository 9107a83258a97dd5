//! The options that make the parameters of a sweep.

use serde::Serialize;
use serde_json::Value;

use super::SweepParameters;
use crate::geometry::{GridRule, Lattice, OccluderSize, OccluderStride};

/// An option of a sweep whose value is not the default.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SweepOption {
    /// Name, such as `mean_over`; of the command line `--mean-over`.
    pub name: &'static str,
    /// Value: a name, a number, or `true`.
    pub value: Value,
}

/// The option, unless it has the default value.
fn option<T: Serialize + PartialEq>(
    name: &'static str,
    value: &T,
    default: &T,
) -> Option<SweepOption> {
    let value = (value != default).then(|| serde_json::to_value(value).ok())??;
    Some(SweepOption { name, value })
}

/// The option of a choice, unless it is the default.
fn choice<T: Serialize + PartialEq + Default>(
    name: &'static str,
    value: &T,
) -> Option<SweepOption> {
    option(name, value, &T::default())
}

impl SweepParameters {
    /// The options of presentations and of maps that are not the defaults; the images and the seed are
    /// none of them.
    pub fn options(&self) -> Vec<SweepOption> {
        let Self { every, repeats, deposit, frame, fill, mean_over, context, .. } = *self;
        let mut options = grid(self.grid);
        options.extend(option("every", &every, &1));
        options.extend(option("repeats", &repeats, &1));
        options.extend(choice("deposit", &deposit));
        options.extend(choice("frame", &frame));
        options.extend(choice("fill", &fill));
        options.extend(choice("mean_over", &mean_over));
        options.extend(choice("context", &context));
        // Several draws imply the statistics.
        options.extend(choice("statistics", &(self.statistics && repeats == 1)));
        options.extend(choice("moments", &self.moments));
        options.extend(choice("reliability_curve", &self.reliability_curve));
        options.extend(choice("until_reliable", &self.until_reliable));
        options
    }
}

/// The options of a grid.
fn grid(rule: GridRule) -> Vec<SweepOption> {
    let (name, preset) = match rule.lattice {
        Lattice::Box => ("reference", GridRule::REFERENCE),
        Lattice::Image => ("zhou", GridRule::ZHOU),
    };
    let size = (rule.size != preset.size).then_some(match rule.size {
        OccluderSize::Pixels(pixels) => ("occluder_size", pixels),
        OccluderSize::Divisor(divisor) => ("size_divisor", divisor),
    });
    let stride = (rule.stride != preset.stride).then_some(match rule.stride {
        OccluderStride::Pixels(pixels) => ("occluder_stride", pixels),
        OccluderStride::Divisor(divisor) => ("stride_divisor", divisor),
    });
    let number = |(name, number)| SweepOption { name, value: Value::from(number) };
    let name = option("grid", &name, &"reference");
    name.into_iter().chain([size, stride].into_iter().flatten().map(number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::MeanOver;
    use crate::network::MapContext;

    fn text(options: &[SweepOption]) -> String {
        let words: Vec<String> =
            options.iter().map(|option| format!("{} {}", option.name, option.value)).collect();
        words.join(", ")
    }

    #[test]
    fn a_grid_has_the_options_that_differ_from_its_preset() {
        assert_eq!(text(&grid(GridRule::REFERENCE)), "");
        assert_eq!(text(&grid(GridRule::ZHOU)), r#"grid "zhou""#);
        let size = OccluderSize::Pixels(7);
        let rule = GridRule { size, stride: OccluderStride::Divisor(3), lattice: Lattice::Box };
        assert_eq!(text(&grid(rule)), "occluder_size 7, stride_divisor 3");
        let rule = GridRule { size: OccluderSize::Divisor(9), ..GridRule::ZHOU };
        assert_eq!(text(&grid(rule)), r#"grid "zhou", size_divisor 9"#);
    }

    #[test]
    fn defaults_have_no_option() {
        let mut parameters: SweepParameters = serde_json::from_value(serde_json::json!({
            "top": 2, "noise": "philox:0", "grid": GridRule::REFERENCE, "every": 1, "frame": "field",
            "deposit": "centre", "repeats": 1, "mean_over": "images", "statistics": false,
            "moments": false
        }))
        .unwrap();
        assert_eq!(text(&parameters.options()), "");
        parameters.statistics = true;
        parameters.until_reliable = Some(0.95);
        assert_eq!(text(&parameters.options()), "statistics true, until_reliable 0.95");
        parameters.repeats = 3;
        parameters.mean_over = MeanOver::Covering;
        parameters.context = MapContext::Frozen;
        let expected = r#"repeats 3, mean_over "covering", context "frozen", until_reliable 0.95"#;
        assert_eq!(text(&parameters.options()), expected);
    }
}
