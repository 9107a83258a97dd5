use super::*;

fn image(values: [f32; 6]) -> Array3<f32> {
    Array3::from_shape_vec((3, 1, 2), values.to_vec()).unwrap()
}

fn applied(preprocessing: Preprocessing, values: [f32; 6]) -> Vec<f32> {
    let mut image = image(values);
    preprocessing.apply(&mut image).unwrap();
    image.into_raw_vec_and_offset().0
}

#[test]
fn names_go_both_ways() {
    for named in Preprocessing::NAMED {
        assert_eq!(named.to_string().parse(), Ok(named));
        assert_eq!(Preprocessing::shown_as(&named.to_string()), Some(named));
    }
    let error = "ImageNet".parse::<Preprocessing>().unwrap_err();
    assert!(error.0.contains("none, imagenet, unit, standardize"), "{error}");
    assert!("custom".parse::<Preprocessing>().is_err());
}

#[test]
fn custom_is_shown_with_its_constants() {
    let custom = Preprocessing::Custom { mean: [0.5, 0.25, 0.0], std: [0.5, 1.0, 2.0] };
    assert_eq!(custom.to_string(), "custom (mean [0.5, 0.25, 0.0], std [0.5, 1.0, 2.0])");
    let custom = Preprocessing::Custom { mean: [0.1, -1e-9, 3.0e7], std: [0.3, 1.0, 1e-3] };
    assert_eq!(Preprocessing::shown_as(&custom.to_string()), Some(custom));
    let cropped = Preprocessing::Cropped { mean: [0.1, -1e-9, 3.0e7], std: [0.3, 1.0, 1e-3] };
    assert!(cropped.to_string().starts_with("cropped (mean [0.1, "), "{cropped}");
    assert_eq!(Preprocessing::shown_as(&cropped.to_string()), Some(cropped));
    assert_eq!(Preprocessing::shown_as("custom (mean [0.1], std [1, 1, 1])"), None);
    assert_eq!(Preprocessing::shown_as("other (mean [0, 0, 0], std [1, 1, 1])"), None);
}

#[test]
fn grey_is_half_of_the_largest_value_preprocessed() {
    assert_eq!(Preprocessing::None.grey(1), Some(vec![0.5]));
    assert_eq!(Preprocessing::Unit.grey(4), Some(vec![0.0; 4]));
    let imagenet = Preprocessing::Imagenet.grey(3).unwrap();
    for (channel, value) in imagenet.into_iter().enumerate() {
        let expected = (0.5 - IMAGENET_MEAN[channel]) / IMAGENET_STD[channel];
        assert!((value - expected).abs() < 1e-6);
    }
    let custom = |mean| Preprocessing::Custom { mean: [mean; 3], std: [0.5; 3] };
    assert_eq!(custom(0.25).grey(3), Some(vec![0.5; 3]));
    assert_eq!(custom(123.0).grey(3), None, "for values from 0 to 255");
    assert_eq!(Preprocessing::Standardize.grey(3), None);
}

#[test]
fn none_leaves_any_finite_value_as_it_is() {
    let values = [-3.0, 0.0, 1.0, 255.0, 1e-9, f32::MAX];
    assert_eq!(applied(Preprocessing::None, values), values);
}

#[test]
fn unit_maps_zero_to_one_onto_minus_one_to_one() {
    assert_eq!(
        applied(Preprocessing::Unit, [0.0, 0.25, 0.5, 0.75, 1.0, 0.125]),
        [-1.0, -0.5, 0.0, 0.5, 1.0, -0.75]
    );
}

#[test]
fn imagenet_centres_each_channel_on_its_own_mean() {
    let [r, g, b] = IMAGENET_MEAN;
    let values = applied(Preprocessing::Imagenet, [r, r + 0.229, g, g + 0.224, b, b + 0.225]);
    for (value, expected) in values.iter().zip([0.0, 1.0, 0.0, 1.0, 0.0, 1.0]) {
        assert!((value - expected).abs() < 1e-6, "{value} {expected}");
    }
}

#[test]
fn custom_divides_by_each_channels_deviation() {
    let custom = Preprocessing::Custom { mean: [1.0, 2.0, 3.0], std: [1.0, 2.0, 4.0] };
    assert_eq!(applied(custom, [1.0, 2.0, 2.0, 4.0, 3.0, -1.0]), [0.0, 1.0, 0.0, 1.0, 0.0, -1.0]);
}

#[test]
fn standardize_uses_the_population_deviation_over_everything() {
    // Mean 3, squared deviations 4, 1, 0, 0, 1, 4 (hand count): variance 10/6.
    let values = applied(Preprocessing::Standardize, [1.0, 2.0, 3.0, 3.0, 4.0, 5.0]);
    let deviation = (10.0_f32 / 6.0).sqrt();
    for (value, centred) in values.iter().zip([-2.0, -1.0, 0.0, 0.0, 1.0, 2.0]) {
        assert!((value - centred / deviation).abs() < 1e-6, "{values:?}");
    }
}

#[test]
fn standardize_makes_a_constant_image_zero_and_survives_extreme_values() {
    assert_eq!(applied(Preprocessing::Standardize, [0.1; 6]), [0.0; 6]);
    let most = f32::MAX;
    assert_eq!(
        applied(Preprocessing::Standardize, [most, -most, most, -most, most, -most]),
        [1.0, -1.0, 1.0, -1.0, 1.0, -1.0]
    );
}

#[test]
fn values_outside_zero_to_one_are_refused_with_their_range() {
    for preprocessing in [Preprocessing::Unit, Preprocessing::Imagenet] {
        let error = preprocessing.apply(&mut image([0.0, -2.0, 0.5, 3.5, 1.0, 1.0])).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("from -2 to 3.5"), "{text}");
        assert!(text.contains(preprocessing.name()) && text.contains("`none`"), "{text}");
    }
}

#[test]
fn a_value_that_is_not_finite_is_refused_with_its_place() {
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for preprocessing in Preprocessing::NAMED {
            let error =
                preprocessing.apply(&mut image([0.0, 0.0, 0.0, wrong, 0.0, 0.0])).unwrap_err();
            assert!(
                matches!(error, Fault::NotFinite { channel: 1, y: 0, x: 1, when: "", .. }),
                "{error}"
            );
        }
    }
}

#[test]
fn an_overflow_in_custom_is_refused() {
    let custom = Preprocessing::Custom { mean: [0.0; 3], std: [1.0, 1.0, 1e-3] };
    let error = custom.apply(&mut image([0.0, 0.0, 0.0, 0.0, 0.0, 1e38])).unwrap_err();
    assert!(error.to_string().contains("inf after preprocessing"), "{error}");
}

#[test]
fn constants_are_checked() {
    let custom = |mean, std| Preprocessing::Custom { mean: [0.0, mean, 0.0], std: [std; 3] };
    assert!(custom(0.5, 1.0).check().is_ok());
    for (mean, std, named) in [
        (f32::NAN, 1.0, "mean NaN for channel 1"),
        (0.0, 0.0, "std 0 for channel 0"),
        (0.0, -1.0, "std -1 for channel 0"),
        (0.0, f32::INFINITY, "std inf for channel 0"),
    ] {
        let error = custom(mean, std).check().unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
}

#[test]
fn constants_for_0_to_255_are_refused_for_values_of_0_to_1() {
    let caffe = Preprocessing::Custom { mean: [123.68, 116.78, 103.94], std: [1.0; 3] };
    let error = caffe.check_scale().unwrap_err().to_string();
    assert!(
        error.contains("from 0 to 1") && error.contains("divide its numbers by 255"),
        "{error}"
    );
    let remedy = "--mean 0.485020,0.457961,0.407608 --std 0.003922,0.003922,0.003922";
    assert!(error.ends_with(remedy), "{error}");
    let std = Preprocessing::Cropped { mean: [0.5; 3], std: [58.4; 3] };
    assert!(std.check_scale().is_err());
    for fine in [[0.485, 0.456, 0.406], [0.0; 3], [-1.0; 3]] {
        for std in [[0.229; 3], [1.0; 3], [1.0 / 255.0; 3]] {
            assert!(Preprocessing::Custom { mean: fine, std }.check_scale().is_ok());
        }
    }
}
