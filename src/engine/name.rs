//! Names of engines.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::ParseError;

/// An engine's name, as files and messages have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EngineName {
    /// [`CpuEngine`](super::CpuEngine).
    CpuIncremental,
    /// [`CpuEngine`](super::CpuEngine) in bf16x3.
    CpuIncrementalBf16x3,
    /// [`CpuEngine`](super::CpuEngine) in bf16.
    CpuIncrementalBf16,
    /// [`CpuEngine`](super::CpuEngine) that computes tap by tap.
    CpuDirect,
    /// [`ReferenceEngine`](super::ReferenceEngine).
    CpuFull,
    /// [`Float64Engine`](super::Float64Engine).
    CpuFullF64,
    /// [`CudaEngine`](super::CudaEngine) in fp32.
    CudaIncremental,
    /// [`CudaEngine`](super::CudaEngine) in tf32.
    CudaIncrementalTf32,
    /// [`CudaEngine`](super::CudaEngine) in fp16.
    CudaIncrementalFp16,
    /// [`CudaEngine`](super::CudaEngine) in bf16.
    CudaIncrementalBf16,
    /// [`CudaFullEngine`](super::CudaFullEngine).
    CudaFull,
}

impl EngineName {
    /// All engines.
    pub const ALL: [Self; 11] = [
        Self::CpuIncremental,
        Self::CpuIncrementalBf16x3,
        Self::CpuIncrementalBf16,
        Self::CpuDirect,
        Self::CpuFull,
        Self::CpuFullF64,
        Self::CudaIncremental,
        Self::CudaIncrementalTf32,
        Self::CudaIncrementalFp16,
        Self::CudaIncrementalBf16,
        Self::CudaFull,
    ];

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CpuIncremental => "cpu-incremental",
            Self::CpuIncrementalBf16x3 => "cpu-incremental-bf16x3",
            Self::CpuIncrementalBf16 => "cpu-incremental-bf16",
            Self::CpuDirect => "cpu-direct",
            Self::CpuFull => "cpu-full",
            Self::CpuFullF64 => "cpu-full-f64",
            Self::CudaIncremental => "cuda-incremental",
            Self::CudaIncrementalTf32 => "cuda-incremental-tf32",
            Self::CudaIncrementalFp16 => "cuda-incremental-fp16",
            Self::CudaIncrementalBf16 => "cuda-incremental-bf16",
            Self::CudaFull => "cuda-full",
        }
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for EngineName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            ParseError::from(format!("`{text}` is not an engine; expected one of {names}"))
        })
    }
}

impl TryFrom<String> for EngineName {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<EngineName> for String {
    fn from(name: EngineName) -> Self {
        name.as_str().into()
    }
}
