//! Byte strings one behind the other, found again by their address.

use std::{io, sync::Arc};

use super::{
    Spill,
    budget::{Budget, Share},
};

/// Bytes of a page; a longer item has a page of its own.
const PAGE_BYTES: usize = 1 << PAGE_BITS;
const PAGE_BITS: u32 = 16;
/// An address fits 40 bits.
const PAGES_MAX: usize = 1 << 24;
/// What is read of an item before its length is known.
const FIRST_BYTES: usize = 256;

/// Items that are added and never change.
#[derive(Debug, Default)]
pub(super) struct Log {
    pages: Vec<Page>,
    spilled: bool,
    resident: u64,
    share: Share,
}

#[derive(Debug)]
struct Page {
    /// Empty where the page is in the file.
    bytes: Vec<u8>,
    /// Where it is in the file.
    offset: u64,
    /// Bytes of it there.
    length: usize,
}

/// Where an item is: the number of its page, and how far into it.
pub(super) type Address = u64;

impl Log {
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self { share: Share::of(budget), ..Self::default() }
    }

    /// Adds an item.
    pub(super) fn append(&mut self, item: &[u8]) -> Address {
        let mut prefix = Vec::with_capacity(4);
        write_length(item.len(), &mut prefix);
        let bytes = prefix.len() + item.len();
        if self.pages.last().is_none_or(|page| page.bytes.is_empty() || page.bytes.len() + bytes > PAGE_BYTES) {
            self.add_page();
        }
        let number = self.pages.len() - 1;
        let page = &mut self.pages[number];
        let at = page.bytes.len();
        let before = page.bytes.capacity();
        if before < at + bytes {
            // Doubling, but never past the page.
            let target = (2 * before).clamp(64, PAGE_BYTES).max(at + bytes);
            page.bytes.reserve_exact(target - at);
        }
        page.bytes.extend_from_slice(&prefix);
        page.bytes.extend_from_slice(item);
        let after = page.bytes.capacity();
        self.resize(before, after);
        (number as u64) << PAGE_BITS | at as u64
    }

    /// Shows an item to this function; `None` where the file failed.
    pub(super) fn with<T>(&self, address: Address, look: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let page = self.pages.get((address >> PAGE_BITS) as usize)?;
        let at = address as usize % PAGE_BYTES;
        if !page.bytes.is_empty() {
            let (length, prefix) = read_length(&page.bytes[at..])?;
            return page.bytes.get(at + prefix..at + prefix + length).map(look);
        }
        let offset = page.offset + at as u64;
        let mut first = [0; FIRST_BYTES];
        let first = &mut first[..FIRST_BYTES.min(page.length - at)];
        if !self.share.budget().read(offset, first) {
            return None;
        }
        let (length, prefix) = read_length(first)?;
        if let Some(item) = first.get(prefix..prefix + length) {
            return Some(look(item));
        }
        let mut item = vec![0; length];
        self.share.budget().read(offset + prefix as u64, &mut item).then(|| look(&item))
    }

    fn add_page(&mut self) {
        if self.pages.len() == PAGES_MAX {
            self.share.budget().fail(io::Error::other("more keys of one index than can be addressed"));
        }
        if self.spilled && !self.pages.is_empty() {
            self.close(self.pages.len() - 1);
        }
        let before = self.pages.capacity();
        self.pages.push(Page { bytes: Vec::new(), offset: 0, length: 0 });
        self.share.change(before * size_of::<Page>(), self.pages.capacity() * size_of::<Page>());
    }

    fn close(&mut self, number: usize) {
        let page = &mut self.pages[number];
        if page.bytes.is_empty() {
            return;
        }
        let offset = self.share.budget().allot(page.bytes.len() as u64);
        if self.share.budget().write(offset, &page.bytes) {
            let before = page.bytes.capacity();
            (page.offset, page.length) = (offset, page.bytes.len());
            page.bytes = Vec::new();
            self.resize(before, 0);
        }
    }

    fn resize(&mut self, before: usize, after: usize) {
        self.resident = self.resident + after as u64 - before as u64;
        self.share.change(before, after);
    }
}

impl Spill for Log {
    fn resident_bytes(&self) -> u64 {
        self.resident
    }

    fn spill(&mut self) {
        // Once spilled, all but the last are in the file.
        let first = if self.spilled { self.pages.len().saturating_sub(1) } else { 0 };
        (first..self.pages.len()).for_each(|number| self.close(number));
        self.spilled = true;
    }
}

/// A length in groups of seven bits, the lowest first.
pub(super) fn write_length(mut length: usize, bytes: &mut Vec<u8>) {
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
}

/// The length at the start of these bytes, and the bytes that it takes.
pub(super) fn read_length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((length, at + 1));
        }
    }
    None
}
