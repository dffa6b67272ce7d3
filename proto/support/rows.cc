#include "proto/support/rows.h"
