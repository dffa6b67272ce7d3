#include "proto/support/resource_names.h"
