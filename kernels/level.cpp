#include "level.h"

#include "panel.h"

namespace LEVEL {

int linear(const Linear*);
int isHeadSize(size_t);
size_t packedKeysLength(size_t, size_t, size_t);
int packKeys(const PackKeys*);
int attend(const Attend*);

const Level level = {linear, isHeadSize, packedKeysLength, packKeys, attend, ROWS, PANEL, 0.043 * (32.0 / PAIR / LANES)};

}  // namespace LEVEL
