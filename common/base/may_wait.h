#pragma once

namespace tidemark {

// Set by threads that serve clients: nothing they do waits for a disk. What
// they do to files ends in memory: they append to the page cache, make the
// files of the next segment, which start empty, and read what is mostly there.
inline thread_local bool must_not_wait = false;

// In front of whatever waits for a disk: a sync, or a change of names, which
// may wait for one in the file system. A debug build aborts where the thread
// must not; any other takes no notice.
void AboutToWait(const char* what);

}  // namespace tidemark
