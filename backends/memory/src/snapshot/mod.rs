//! What a planned restart leaves for the next process.
//!
//! | file | role |
//! |---|---|
//! | `format` | the bytes |

pub mod format;
