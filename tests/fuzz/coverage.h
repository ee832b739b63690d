#pragma once

namespace tidemark::fuzz {

// Whether an edge of the program has been taken since the last call that no
// call had seen, or one of those seen more often by an order of magnitude.
// Always false in a build without -fsanitize-coverage=trace-pc.
bool TakeNewCoverage();

}  // namespace tidemark::fuzz
