//! The restore engine: mapping, pre-scan, plan, apply, account.
