#pragma once

#include <string>

#include "common/io/file.h"

// `.tidemark_lost_writes`: a sync has failed in this log directory, in the boot
// of the machine that stands in it. Linux reports that once and takes the pages
// for written (B-32): until the machine starts again its memory may show bytes
// that the disk has not, and a new process that recovers would believe and
// acknowledge them. The marker itself is never synced: it is needed for as long
// as the memory that it warns of.
//
// `boot` changes when the machine starts (io::BootId); empty: unknown, and
// nothing is marked or refused.
namespace tidemark::log {

// As well as it can: the disk is broken.
void MarkLostWrites(io::FileSystem& fs, const std::string& dir,
                    const std::string& boot);
// kKafkaStorageError: a sync failed since the machine was started. What is
// marked by an earlier boot is removed.
Status CheckNoLostWrites(io::FileSystem& fs, const std::string& dir,
                         const std::string& boot);

}  // namespace tidemark::log
