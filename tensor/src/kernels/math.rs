//! Elementary functions, written so that the compiler vectorises them.
