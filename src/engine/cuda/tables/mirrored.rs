//! Structs that kernels take by value, the same in Rust and in CUDA C++.

/// Declares structs of numbers that a kernel's source declares too. A test compares the two: a struct
/// that is changed on one side only fails it.
///
/// ```text
/// mirrored! {
///     /// …
///     pub struct ExtremesParameters { /// Planes.
///         pub planes: u32 }
/// }
/// ```
macro_rules! mirrored {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty),+ $(,)?
    })+) => {
        $(
            $(#[$meta])*
            #[repr(C)]
            #[derive(Clone, Copy, Debug, Default, PartialEq)]
            $vis struct $name { $($(#[$field_meta])* $field_vis $field: $type),+ }

            // SAFETY: a `repr(C)` struct of plain numbers.
            unsafe impl cudarc::driver::DeviceRepr for $name {}

            #[cfg(test)]
            impl $crate::engine::cuda::tables::mirrored::Mirrored for $name {
                const NAME: &'static str = stringify!($name);
                const FIELDS: &'static [(&'static str, &'static str)] =
                    &[$((stringify!($type), stringify!($field))),+];
            }
        )+
    };
}

pub(in crate::engine::cuda) use mirrored;

/// A struct that a kernel's source declares too.
#[cfg(test)]
pub(in crate::engine::cuda) trait Mirrored: Sized {
    const NAME: &'static str;
    /// Types and names of the fields.
    const FIELDS: &'static [(&'static str, &'static str)];

    /// Fails unless the source declares the same fields in the same order, and asserts their size. Both
    /// languages lay a struct of such fields out by the same rule.
    fn check(source: &str) {
        let expected: Vec<(String, String)> =
            Self::FIELDS.iter().map(|(kind, name)| declaration(kind, name)).collect();
        let name = Self::NAME;
        assert_eq!(fields(source, name), expected, "the fields of {name} in the kernel's source");
        let size = format!("static_assert(sizeof({name}) == {});", size_of::<Self>());
        assert!(source.contains(&size), "the kernel's source lacks `{size}`");
    }
}

/// A field as CUDA C++ declares it: type, and name with the length of an array.
#[cfg(test)]
fn declaration(kind: &str, name: &str) -> (String, String) {
    let (element, length) = match kind.trim_matches(['[', ']']).split_once("; ") {
        Some((element, length)) => (element, format!("[{length}]")),
        None => (kind, String::new()),
    };
    let element = match element {
        "i32" => "int32_t",
        "u32" => "uint32_t",
        "i64" => "int64_t",
        "u64" => "uint64_t",
        "f32" => "float",
        "f64" => "double",
        mirrored => mirrored,
    };
    (element.to_owned(), format!("{name}{length}"))
}

/// Types and names of the fields of a struct in a kernel's source, in order.
#[cfg(test)]
fn fields(source: &str, name: &str) -> Vec<(String, String)> {
    let begin = format!("struct {name} {{");
    let body = source.split_once(&begin).and_then(|(_, rest)| rest.split_once("\n};"));
    let (body, _) = body.unwrap_or_else(|| panic!("the kernel's source lacks `{begin}`"));
    let lines = body.lines().map(|line| line.split("//").next().unwrap_or_default());
    let code: String = lines.collect();
    let statements = code.split(';').map(str::trim).filter(|statement| !statement.is_empty());
    let declared = statements.filter_map(|statement| statement.split_once(' '));
    let each = declared.flat_map(|(kind, names)| {
        // The numbers of an enumeration are 32 bits wide, as it says.
        let kind = if kind == "FunctionKind" { "int32_t" } else { kind };
        names.split(',').map(move |name| (kind.to_owned(), name.trim().to_owned()))
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::Mirrored as _;

    mirrored! {
        struct Sample {
            count: u32,
            y: i32,
            x: i32,
            key: [u32; 2],
        }
    }

    const SOURCE: &str = "struct Sample {\n    uint32_t count;  // of planes; all\n    int32_t y, x;\n    \
                          uint32_t key[2];\n};\nstatic_assert(sizeof(Sample) == 20);\n";

    #[test]
    fn the_same_fields_pass() {
        Sample::check(SOURCE);
    }

    #[test]
    fn other_orders_types_names_and_sizes_fail() {
        for (from, to) in [
            ("y, x", "x, y"),
            ("int32_t y", "uint32_t y"),
            ("count", "counts"),
            ("key[2]", "key[3]"),
            ("== 20", "== 24"),
            ("struct Sample", "struct Other"),
        ] {
            let changed = SOURCE.replacen(from, to, 1);
            assert_ne!(changed, SOURCE);
            let checked = std::panic::catch_unwind(|| Sample::check(&changed));
            assert!(checked.is_err(), "{from} was changed to {to}");
        }
    }
}
