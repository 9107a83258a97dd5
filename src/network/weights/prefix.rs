//! Prefixes that wrappers add to the names of tensors.

/// Parts of names that `DataParallel` and `torch.compile` add.
const WRAPPERS: [&str; 2] = ["module", "_orig_mod"];

/// A tensor's name without the parts that wrappers add, wherever they stand:
/// `features.module.0.weight` is `features.0.weight`.
pub fn plain_name(name: &str) -> String {
    let parts = name.split('.').filter(|part| !WRAPPERS.contains(part));
    parts.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_do_not_count_wherever_they_stand() {
        for name in [
            "features.0.weight",
            "module.features.0.weight",
            "features.module.0.weight",
            "_orig_mod.module.features.0.weight",
        ] {
            assert_eq!(plain_name(name), "features.0.weight");
        }
        assert_eq!(plain_name("modules.0.module_1"), "modules.0.module_1");
    }
}
