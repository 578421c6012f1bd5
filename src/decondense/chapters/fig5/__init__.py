"""Fig. 5: does distillation lower rho and tau? The published pairs, the measured ones, students and their teacher."""
