/* How large the structures are that a session fills, so that both sides can be compared. */
#include "run.h"

const int64_t *sizes(void);

const int64_t *sizes(void) {
    static const int64_t all[] = {sizeof(Operation), sizeof(Line), sizeof(Segment), sizeof(Part),
                                  sizeof(Tie), sizeof(Watched), sizeof(Run)};
    return all;
}
