// SPDX-License-Identifier: Apache-2.0
// <linux/kvm.h> as the kernel means it. In Debian 12's headers a list at the end of a structure
// stands behind an empty one, which takes a byte in C++: structures grow, and with them the numbers
// of the ioctls. Newer headers know of C++; this does what they do.
#pragma once

#include <linux/stddef.h>
#undef __DECLARE_FLEX_ARRAY
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming): the kernel's name
#define __DECLARE_FLEX_ARRAY(TYPE, NAME) TYPE NAME[]

#include <linux/kvm.h>

static_assert(sizeof(kvm_msrs) == 8);
static_assert(sizeof(kvm_cpuid2) == 8);
static_assert(sizeof(kvm_xsave) == 4096);
