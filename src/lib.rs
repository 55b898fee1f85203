//! csdump
