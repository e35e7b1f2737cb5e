"""Every theorem of the library, one file each; `unified verify` checks them all."""
