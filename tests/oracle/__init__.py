"""The oracle, and what it says of the compiler's lowering."""
