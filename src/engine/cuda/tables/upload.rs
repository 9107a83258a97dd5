//! Tables, and how they get to the device: many in one copy.

use std::marker::PhantomData;
use std::sync::Arc;

use cudarc::driver::{CudaSlice, DevicePtr, DeviceRepr};

use crate::engine::cuda::shape::ensure;
use crate::engine::cuda::transfer::{Bytes, Part, bytes};
use crate::engine::cuda::{CudaError, Device};

/// Bytes between the beginnings of tables: a multiple of every entry's alignment.
const ALIGNED: usize = 256;

/// Entries on the device.
#[derive(Debug)]
pub struct Table<T> {
    length: usize,
    /// Where they begin.
    address: u64,
    /// The memory that they are in, beside others.
    _memory: Arc<CudaSlice<u8>>,
    entries: PhantomData<T>,
}

impl<T: DeviceRepr> Table<T> {
    /// Copies entries to the device, on their own.
    ///
    /// # Errors
    /// [`CudaError::Driver`].
    pub fn new(device: &Device, entries: Vec<T>) -> Result<Self, CudaError> {
        let lists = [entries];
        let mut upload = UploadBatch::new(device, packed(&lists))?;
        let table = upload.add(&lists)?;
        upload.send(device)?;
        Ok(table)
    }
}

impl<T> Table<T> {
    /// How many entries.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The address that a kernel gets.
    pub fn device(&self) -> &u64 {
        &self.address
    }
}

/// Tables on their way to the device.
#[derive(Debug)]
pub struct UploadBatch<'l> {
    memory: Arc<CudaSlice<u8>>,
    address: u64,
    parts: Vec<Part<Bytes<'l>>>,
    filled: usize,
}

impl<'l> UploadBatch<'l> {
    /// Memory for tables that take so many bytes in all, each as [`packed`] says.
    ///
    /// # Errors
    /// [`CudaError::Driver`], out of memory too.
    pub fn new(device: &Device, bytes: usize) -> Result<Self, CudaError> {
        // There is no memory of no bytes.
        let memory = device.allocate(bytes.max(1))?;
        let address = memory.device_ptr(&device.stream).0;
        Ok(Self { memory: Arc::new(memory), address, parts: Vec::new(), filled: 0 })
    }

    /// Adds a table, whose entries are those of the lists, one after the other. It is there when the
    /// upload was sent.
    ///
    /// # Errors
    /// [`CudaError::Shape`] where there is no room.
    pub fn add<T: DeviceRepr>(&mut self, lists: &'l [Vec<T>]) -> Result<Table<T>, CudaError> {
        let (begin, end) = (self.filled, self.filled + packed(lists));
        ensure(end <= self.memory.len() || begin == end, "upload", || {
            format!("tables of {end} bytes; expected at most {}", self.memory.len())
        })?;
        let mut offset = begin;
        for list in lists.iter().filter(|list| !list.is_empty()) {
            self.parts.push(Part { offset, source: bytes(list) });
            offset += size_of_val(list.as_slice());
        }
        self.filled = end;
        Ok(Table {
            length: lists.iter().map(Vec::len).sum(),
            address: self.address + begin as u64,
            _memory: Arc::clone(&self.memory),
            entries: PhantomData,
        })
    }

    /// Has the device copy all tables, as soon as the work asked for before is done.
    ///
    /// # Errors
    /// [`CudaError::Driver`].
    pub fn send(self, device: &Device) -> Result<(), CudaError> {
        // SAFETY: what was added lies in the upload's memory.
        unsafe { device.staging.copy(&self.parts, self.address) }
    }
}

/// Bytes that a table of these lists takes of an upload.
pub fn packed<T>(lists: &[Vec<T>]) -> usize {
    let length: usize = lists.iter().map(Vec::len).sum();
    (length * size_of::<T>()).next_multiple_of(ALIGNED)
}
