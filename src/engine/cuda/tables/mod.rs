//! Tables that kernels of the incremental engine read beside activations, made on the host: what
//! each block works on, and the layout of each table.

pub(super) mod blocks;
pub(super) mod by_taps;
pub(super) mod layout;
pub(super) mod mirrored;
pub(super) mod tiles;
pub(super) mod upload;
