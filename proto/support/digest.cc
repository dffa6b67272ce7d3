#include "proto/support/digest.h"
