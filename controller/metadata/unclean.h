#pragma once

#include "common/metadata/image.h"
#include "controller/metadata/decision.h"

namespace tidemark::controller {

// Adds an error note for each unclean election among the records, which are
// decided on that image: what it costs has to be told, whoever ordered it, once
// it is committed (F26). Returns how many.
size_t NoteUncleanElections(const metadata::Image& image,
                            const Records& records, Effects* effects);

}  // namespace tidemark::controller
