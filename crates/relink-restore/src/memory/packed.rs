//! Integers by record, each taking the bytes that it differs from its neighbours in.

use std::{collections::VecDeque, sync::Arc};

use super::{
    Spill,
    budget::{Budget, Share},
};

/// Integers of one page.
const PAGE: usize = 1_024;
/// One bit for each of them: whether it is set.
const KNOWN_BYTES: usize = PAGE / 8;
/// Pages in memory of a structure that has spilled.
const OPEN_MAX: usize = 8;

/// A vector of integers, each of which is set or not. A page keeps the differences from its first value in as few bytes as the widest of them
/// needs: consecutive ids take two bytes each, what is the same throughout takes none.
#[derive(Debug, Default)]
pub(super) struct PackedInts {
    pages: Vec<Page>,
    /// Pages in memory since the structure spilled, the oldest first.
    open: VecDeque<usize>,
    spilled: bool,
    resident: u64,
    share: Share,
}

/// Empty where no value is set, in memory, or in the file.
#[derive(Debug, Default)]
struct Page {
    base: i64,
    /// Bytes of a difference: 0, 1, 2, 4 or 8.
    width: u8,
    known: u16,
    /// The bits that say what is set, then the differences up to the last one that ever was; empty where the page is in the file.
    bytes: Vec<u8>,
    extent: Option<Extent>,
}

/// Where a page is in the file, and how many bytes it may have there.
#[derive(Clone, Copy, Debug)]
struct Extent {
    offset: u64,
    capacity: usize,
}

impl PackedInts {
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self { share: Share::of(budget), ..Self::default() }
    }

    /// The value, where one is set.
    pub(super) fn get(&self, at: usize) -> Option<i64> {
        let (page, at) = (self.pages.get(at / PAGE)?, at % PAGE);
        if page.known == 0 {
            return None;
        }
        let width = usize::from(page.width);
        let start = KNOWN_BYTES + at * width;
        let mut difference = [0; 8];
        match page.extent.filter(|_| page.bytes.is_empty()) {
            None => {
                if !page.is_known(at) {
                    return None;
                }
                difference[..width].copy_from_slice(&page.bytes[start..start + width]);
            }
            Some(Extent { offset, .. }) => {
                let mut known = [0];
                let all = usize::from(page.known) == PAGE;
                if !all && !self.share.budget().read(offset + at as u64 / 8, &mut known) {
                    return None;
                }
                if !all && known[0] >> (at % 8) & 1 == 0 {
                    return None;
                }
                if width > 0 && !self.share.budget().read(offset + start as u64, &mut difference[..width]) {
                    return None;
                }
            }
        }
        Some(page.base.wrapping_add(widened(difference, page.width)))
    }

    /// Sets a value.
    pub(super) fn set(&mut self, at: usize, value: i64) {
        let Some(page) = self.open(at / PAGE) else { return };
        let before = page.bytes.capacity();
        page.set(at % PAGE, value);
        let after = page.bytes.capacity();
        self.resize(before, after);
    }

    /// Takes a value away.
    pub(super) fn unset(&mut self, at: usize) {
        if self.get(at).is_some()
            && let Some(page) = self.open(at / PAGE)
        {
            page.bytes[at % PAGE / 8] &= !(1 << (at % 8));
            page.known -= 1;
        }
    }

    /// All values that are set, with where they stand.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, i64)> + '_ {
        let places = self.pages.iter().enumerate().filter(|(_, page)| page.known > 0);
        places.flat_map(|(page, _)| page * PAGE..(page + 1) * PAGE).filter_map(|at| Some((at, self.get(at)?)))
    }

    /// The page in memory; `None` where the file failed.
    fn open(&mut self, number: usize) -> Option<&mut Page> {
        if number >= self.pages.len() {
            let before = self.pages.capacity();
            self.pages.resize_with(number + 1, Page::default);
            self.share.change(before * size_of::<Page>(), self.pages.capacity() * size_of::<Page>());
        }
        if self.pages[number].bytes.is_empty() {
            let page = &mut self.pages[number];
            if let Some(extent) = page.extent {
                let mut bytes = vec![0; page.full_bytes()];
                if !self.share.budget().read(extent.offset, &mut bytes) {
                    return None;
                }
                page.bytes = bytes;
                let after = page.bytes.capacity();
                self.resize(0, after);
            }
            if self.spilled {
                self.open.push_back(number);
                if self.open.len() > OPEN_MAX {
                    self.close_oldest();
                }
            }
        }
        Some(&mut self.pages[number])
    }

    fn close_oldest(&mut self) {
        if let Some(number) = self.open.pop_front() {
            self.close(number);
        }
    }

    /// Writes a page to the file; it stays in memory where that fails, or where it is empty.
    fn close(&mut self, number: usize) {
        let page = &mut self.pages[number];
        if page.bytes.is_empty() {
            return;
        }
        let capacity = page.full_bytes();
        let extent = page.extent.filter(|extent| extent.capacity >= capacity);
        let extent = extent.unwrap_or_else(|| Extent { offset: self.share.budget().allot(capacity as u64), capacity });
        let before = page.bytes.capacity();
        // The whole of it, so that what is read back is always as long.
        page.bytes.resize(capacity, 0);
        if self.share.budget().write(extent.offset, &page.bytes) {
            page.extent = Some(extent);
            page.bytes = Vec::new();
        }
        let after = page.bytes.capacity();
        self.resize(before, after);
    }

    fn resize(&mut self, before: usize, after: usize) {
        self.resident = self.resident + after as u64 - before as u64;
        self.share.change(before, after);
    }
}

impl Spill for PackedInts {
    fn resident_bytes(&self) -> u64 {
        self.resident
    }

    fn spill(&mut self) {
        if self.spilled {
            while !self.open.is_empty() {
                self.close_oldest();
            }
        } else {
            (0..self.pages.len()).for_each(|number| self.close(number));
            self.spilled = true;
        }
    }
}

impl Page {
    /// Bytes with all differences.
    fn full_bytes(&self) -> usize {
        KNOWN_BYTES + PAGE * usize::from(self.width)
    }

    fn is_known(&self, at: usize) -> bool {
        self.bytes.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1)
    }

    fn set(&mut self, at: usize, value: i64) {
        if self.known == 0 {
            (self.base, self.width) = (value, 0);
        }
        let difference = value.wrapping_sub(self.base);
        let width = width_of(difference);
        if width > self.width {
            self.widen(width);
        }
        let end = KNOWN_BYTES + (at + 1) * usize::from(self.width);
        if self.bytes.len() < end {
            if self.bytes.capacity() < end {
                let target = (end + end / 2).min(self.full_bytes());
                self.bytes.reserve_exact(target - self.bytes.len());
            }
            self.bytes.resize(end, 0);
        }
        if !self.is_known(at) {
            self.bytes[at / 8] |= 1 << (at % 8);
            self.known += 1;
        }
        let width = usize::from(self.width);
        self.bytes[end - width..end].copy_from_slice(&difference.to_le_bytes()[..width]);
    }

    fn widen(&mut self, width: u8) {
        let (from, to) = (usize::from(self.width), usize::from(width));
        let last = (0..PAGE).rev().find(|at| self.is_known(*at)).map_or(0, |last| last + 1);
        let mut wide = Vec::with_capacity(KNOWN_BYTES + last * to);
        wide.extend_from_slice(self.bytes.get(..KNOWN_BYTES).unwrap_or(&[0; KNOWN_BYTES]));
        for at in 0..last {
            let start = KNOWN_BYTES + at * from;
            let mut difference = [0; 8];
            difference[..from].copy_from_slice(&self.bytes[start..start + from]);
            wide.extend_from_slice(&widened(difference, self.width).to_le_bytes()[..to]);
        }
        (self.bytes, self.width) = (wide, width);
    }
}

/// Bytes that a difference needs.
fn width_of(difference: i64) -> u8 {
    match difference {
        0 => 0,
        _ if i8::try_from(difference).is_ok() => 1,
        _ if i16::try_from(difference).is_ok() => 2,
        _ if i32::try_from(difference).is_ok() => 4,
        _ => 8,
    }
}

/// A difference with its sign, from its low bytes.
fn widened(bytes: [u8; 8], width: u8) -> i64 {
    let value = i64::from_le_bytes(bytes);
    let unused = 64 - 8 * u32::from(width);
    if unused == 64 { 0 } else { value << unused >> unused }
}
