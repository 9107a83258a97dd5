//! Structs that kernels take by value, the same in Rust and in CUDA C++.

/// Declares structs of numbers that are mirrored in a kernel's source, and for tests the
/// assertions that must stand there: whoever changes a struct on one side only is told so.
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

            // SAFETY: a `repr(C)` struct of plain numbers, whose layout the kernel asserts.
            unsafe impl cudarc::driver::DeviceRepr for $name {}

            #[cfg(test)]
            impl $crate::engine::cuda::tables::mirrored::Mirrored for $name {
                fn assertions() -> Vec<String> {
                    let name = stringify!($name);
                    let size = size_of::<$name>();
                    let mut lines = vec![format!("static_assert(sizeof({name}) == {size});")];
                    $(
                        let (field, offset) =
                            (stringify!($field), std::mem::offset_of!($name, $field));
                        lines.push(format!(
                            "static_assert(offsetof({name}, {field}) == {offset});"
                        ));
                    )+
                    lines
                }
            }
        )+
    };
}

pub(in crate::engine::cuda) use mirrored;

/// A struct that a kernel's source asserts the layout of.
#[cfg(test)]
pub(in crate::engine::cuda) trait Mirrored {
    /// The lines that must stand in the source.
    fn assertions() -> Vec<String>;

    /// Fails unless each of them does.
    fn check(source: &str) {
        for line in Self::assertions() {
            assert!(source.contains(&line), "the kernel's source lacks `{line}`");
        }
    }
}
